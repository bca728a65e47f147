"""Under which rules and which agreement a grant was given."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("preset", "data_use_agreement"):
        op.add_column("grant_", sa.Column(name, sa.String(), nullable=False, server_default=""))
