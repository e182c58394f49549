"""Alembic migrations of the alert store's tables; `runtime.sql.migrate` runs them."""
