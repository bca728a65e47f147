"""Adapters to databases: projections enforced by the engine, Arrow batches out."""
