"""Runs the migrations on the connection that `runtime.sql.migrate` opened, inside its transaction."""

from alembic import context

from alerts.tables import metadata

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table=attributes["version_table"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
