"""Views for other tools (`storage.views` makes them), and the hash of a page outlives the page."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("articles", sa.Column("page_sha256", sa.Text, nullable=True))
    op.execute(
        "UPDATE articles SET page_sha256 = (SELECT digest FROM raw_pages WHERE article_id = articles.id) "
        "WHERE id IN (SELECT article_id FROM raw_pages)"
    )
