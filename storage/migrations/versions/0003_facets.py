"""What a search counts its matches by; filled with the full-text index, whose rule changed too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "facets",
        sa.Column("word_key", KEY, autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("word_key", name="pk_facets"),
    )
