"""Codes that stand for values: random, under a keyed hash of what they stand for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "surrogate",
        sa.Column("name", sa.LargeBinary(), primary_key=True),
        sa.Column("code", sa.String(), nullable=False, unique=True),
    )
