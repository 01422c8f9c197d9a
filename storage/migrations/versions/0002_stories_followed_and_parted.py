"""A story can be followed, and two stories that an analyst has parted stay two."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("stories", sa.Column("followed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "parted",
        sa.Column("story_id", ID, nullable=False),
        sa.Column("other_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("story_id", "other_id", name="pk_parted"),
        sa.ForeignKeyConstraint(["story_id"], ["stories.id"], name="fk_parted_story_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["other_id"], ["stories.id"], name="fk_parted_other_id", ondelete="CASCADE"),
    )
    op.create_index("ix_parted_other_id", "parted", ["other_id"])
