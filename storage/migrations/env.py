"""Run by Alembic: migrations go through the connection, and the transaction, that the caller has open."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
