"""SQLite keeps an index of the first three and four letters of words; all is filled anew with the next use."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE article_words")
        op.execute(
            "CREATE VIRTUAL TABLE article_words USING fts5("
            "title, lead, text, tags, content='', tokenize='unicode61 remove_diacritics 0', prefix='3 4')"
        )
