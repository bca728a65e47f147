"""Run by Alembic: migrate the connection that `open_state` hands over."""

from alembic import context

from jupyter_gov.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
