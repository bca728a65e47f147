"""The first tables: servers, kernels, codes, sessions, grants."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attach_request",
        sa.Column("request_id", sa.String(), primary_key=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("kernel_id", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("suggested_agent", sa.String(), nullable=False),
        sa.Column("opened_at", sa.String(), nullable=False),
        sa.Column("expires_at", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("decided_at", sa.String()),
    )
    op.create_index("attach_request_by_code", "attach_request", ["code_hash"])
    op.create_index("attach_request_by_kernel", "attach_request", ["server_id", "kernel_id"])
    op.create_table(
        "grant_",
        sa.Column("grant_id", sa.String(), primary_key=True),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("eligibility", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("tables", sa.Text(), nullable=False),
        sa.Column("actions", sa.Text(), nullable=False),
        sa.Column("start", sa.String(), nullable=False),
        sa.Column("end", sa.String(), nullable=False),
        sa.Column("max_rows", sa.BigInteger()),
        sa.Column("max_queries", sa.BigInteger()),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("queries", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.String()),
        sa.Column("ended_why", sa.Text(), nullable=False),
    )
    op.create_index("grant_by_session", "grant_", ["session_id"])
    op.create_table(
        "kernel",
        sa.Column("slot_id", sa.String(), primary_key=True),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("kernel_id", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("claimed_notebook", sa.Text(), nullable=False),
        sa.Column("claimed_user", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary()),
        sa.Column("client_address", sa.String(), nullable=False),
        sa.Column("isolation", sa.String(), nullable=False),
        sa.Column("revoked_at", sa.String()),
        sa.Column("second_enrolments", sa.Integer(), nullable=False),
    )
    op.create_index("kernel_by_id", "kernel", ["server_id", "kernel_id", "generation"], unique=True)
    op.create_table(
        "server",
        sa.Column("server_id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("managed", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "session",
        sa.Column("session_id", sa.String(), primary_key=True),
        sa.Column("server_id", sa.String(), nullable=False),
        sa.Column("kernel_id", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("on_behalf_of", sa.String()),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("started_at", sa.String(), nullable=False),
        sa.Column("ends_at", sa.String(), nullable=False),
        sa.Column("ended_at", sa.String()),
        sa.Column("ended_why", sa.Text(), nullable=False),
    )
    op.create_index("session_by_kernel", "session", ["server_id", "kernel_id"])
    op.create_index(
        "one_session_per_kernel",
        "session",
        ["server_id", "kernel_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("session")
    op.drop_table("server")
    op.drop_table("kernel")
    op.drop_table("grant_")
    op.drop_table("attach_request")
