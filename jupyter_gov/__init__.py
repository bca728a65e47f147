"""Governed data access for notebooks."""
