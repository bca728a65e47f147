"""When a session was last used: an idle one must not begin anew with the gateway."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("session", sa.Column("seen_at", sa.String()))
