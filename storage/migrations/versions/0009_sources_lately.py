"""The index by first seen says also of which source and how well read: the page of sources counts by it alone."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

COLUMNS = ["first_seen", "source_id", "grade", "fetched_at"]


def upgrade() -> None:
    op.create_index(f"ix_articles_{'_'.join(COLUMNS)}", "articles", COLUMNS)
    op.drop_index("ix_articles_first_seen", "articles")
