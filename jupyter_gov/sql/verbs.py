"""What the first words of a statement say that it is."""

from __future__ import annotations

from collections.abc import Sequence

WRITE_FUNCTIONS = {
    "lo_unlink": "write", "lo_create": "write", "lo_creat": "write", "lo_put": "write",
    "lo_from_bytea": "write", "lowrite": "write", "lo_truncate": "write",
    "lo_truncate64": "write", "nextval": "lock", "setval": "lock",
    "pg_advisory_lock": "lock", "pg_advisory_lock_shared": "lock",
    "pg_advisory_xact_lock": "lock", "pg_advisory_xact_lock_shared": "lock",
    "pg_try_advisory_lock": "lock", "pg_try_advisory_lock_shared": "lock",
    "pg_try_advisory_xact_lock": "lock", "pg_try_advisory_xact_lock_shared": "lock",
    "pg_advisory_unlock": "lock", "pg_advisory_unlock_all": "lock",
}  # fmt: skip
"""Functions of PostgreSQL that leave a mark in the database and reach nothing else."""

ADMIN_FUNCTIONS = (
    "pg_terminate_backend", "pg_cancel_backend", "pg_switch_wal", "pg_create_", "pg_drop_",
    "pg_stat_reset", "pg_reload_conf", "pg_rotate_logfile", "pg_promote", "pg_replication_",
    "pg_wal_replay", "pg_backup_", "pg_start_backup", "pg_stop_backup", "pg_log_backend",
)  # fmt: skip
"""Beginnings of functions that administer the server."""

_VERBS = {
    "select": "query", "values": "query", "table": "query", "": "query", "(": "query",
    "update": "dml", "delete": "dml", "insert": "dml", "merge": "dml", "replace": "dml",
    "truncate": "write",
    "create": "ddl", "alter": "ddl", "drop": "ddl", "refresh": "ddl", "comment": "ddl",
    "import": "ddl", "security": "ddl", "reindex": "ddl", "cluster": "ddl",
    "grant": "admin", "revoke": "admin", "vacuum": "admin", "analyze": "admin",
    "analyse": "admin", "checkpoint": "admin", "load": "admin", "discard": "admin",
    "reassign": "admin", "lock": "admin",
    "begin": "transaction", "start": "transaction", "commit": "transaction",
    "rollback": "transaction", "end": "transaction", "abort": "transaction",
    "savepoint": "transaction", "release": "transaction",
}  # fmt: skip
_ADMIN_OBJECTS = frozenset({
    "role", "user", "group", "system", "database", "default", "owned", "subscription",
    "publication", "tablespace", "extension", "server", "language", "event", "access",
})  # fmt: skip
_PRAGMAS = frozenset({
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
    "foreign_key_list", "collation_list", "function_list", "compile_options",
})  # fmt: skip
"""Pragmas of SQLite that only tell."""


def verb_of(words: Sequence[str], dialect: str) -> str:
    """``query``, ``dml`` or one of the classes, from the first words in lower case."""
    first, second = [*words, "", ""][:2]
    if first == "pragma":
        return _pragma(words)
    if first in ("create", "alter", "drop"):
        if dialect == "sqlite" and second == "virtual":
            return "unsafe"
        return "admin" if second in _ADMIN_OBJECTS else "ddl"
    if first == "set":
        return _setting([word for word in words[1:] if word not in ("local", "session")])
    if first == "prepare":
        return "transaction" if second == "transaction" else "unsafe"
    if first == "copy":
        return "write" if "from" in words and "program" not in words else "unsafe"
    return _VERBS.get(first, "unsafe")


def _setting(rest: Sequence[str]) -> str:
    name = rest[0] if rest else ""
    if "transaction" in name or name == "characteristics":
        return "transaction"
    if name in ("role", "authorization", "row_security"):
        return "admin"
    return "unsafe"


def _pragma(words: Sequence[str]) -> str:
    name = words[1] if len(words) > 1 else ""
    if "=" in words:
        return "write" if name in ("user_version", "application_id") else "unsafe"
    return "read" if name in _PRAGMAS else "unsafe"
