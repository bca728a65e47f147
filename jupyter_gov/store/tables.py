"""The tables of the governance state.  Migrations are in `store/migrations`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

server = Table(
    "server",
    metadata,
    Column("server_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("owner", String),
    Column("public_key", LargeBinary, nullable=False),
    Column("managed", Boolean, nullable=False),
)

kernel = Table(
    "kernel",
    metadata,
    Column("slot_id", String, primary_key=True),
    Column("server_id", String, nullable=False),
    Column("kernel_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("claimed_notebook", Text, nullable=False),
    Column("claimed_user", Text, nullable=False),
    Column("public_key", LargeBinary),
    Column("client_address", String, nullable=False),
    Column("isolation", String, nullable=False),
    Column("revoked_at", String),
    Column("second_enrolments", Integer, nullable=False),
    Index("kernel_by_id", "server_id", "kernel_id", "generation", unique=True),
)

attach_request = Table(
    "attach_request",
    metadata,
    Column("request_id", String, primary_key=True),
    Column("code_hash", LargeBinary, nullable=False),
    Column("server_id", String, nullable=False),
    Column("kernel_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("suggested_agent", String, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("state", String, nullable=False),
    Column("tries_left", Integer, nullable=False),
    Column("decided_at", String),
    Index("attach_request_by_code", "code_hash"),
    Index("attach_request_by_kernel", "server_id", "kernel_id"),
)

session = Table(
    "session",
    metadata,
    Column("session_id", String, primary_key=True),
    Column("server_id", String, nullable=False),
    Column("kernel_id", String, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("issuer", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("on_behalf_of", String),
    Column("purpose", Text, nullable=False),
    Column("started_at", String, nullable=False),
    Column("ends_at", String, nullable=False),
    Column("seen_at", String),
    Column("ended_at", String),
    Column("ended_why", Text, nullable=False),
    Index("session_by_kernel", "server_id", "kernel_id"),
    Index(
        "one_session_per_kernel",
        "server_id",
        "kernel_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

grant = Table(
    "grant_",
    metadata,
    Column("grant_id", String, primary_key=True),
    Column("principal", String, nullable=False),
    Column("session_id", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("fingerprint", String, nullable=False),
    Column("eligibility", String, nullable=False),
    Column("profile", String, nullable=False),
    Column("tables", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("start", String, nullable=False),
    Column("end", String, nullable=False),
    Column("max_rows", BigInteger),
    Column("max_queries", BigInteger),
    Column("rows", BigInteger, nullable=False),
    Column("queries", BigInteger, nullable=False),
    Column("ended_at", String),
    Column("ended_why", Text, nullable=False),
    Column("preset", String, nullable=False, server_default=""),
    Column("data_use_agreement", String, nullable=False, server_default=""),
    Index("grant_by_session", "session_id"),
)

surrogate = Table(
    "surrogate",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    Column("code", String, nullable=False, unique=True),
)
