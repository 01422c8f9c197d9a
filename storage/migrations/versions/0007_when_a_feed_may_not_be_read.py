"""The hours and days on which a feed asks not to be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("closed_hours", "closed_days"):
        op.add_column("sources", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
