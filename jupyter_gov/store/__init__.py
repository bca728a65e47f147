"""Adapters: governance state and the audit log, on SQLAlchemy Core."""
