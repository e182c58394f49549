"""Alembic migrations of the registry's tables; `runtime.sql.migrate` runs them."""
