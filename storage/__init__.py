"""The archive in a SQL database: sqlalchemy and alembic live here only."""
