"""SQL engines and migrations for the packages that keep tables: SQLite in WAL by default, PostgreSQL by setting.

Each package keeps its migrations in `<package>/migrations` with a version table of its own. Calls block.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError

from runtime.errors import ConfigurationError, UnavailableError

CONNECT_TIMEOUT_S = 5
BUSY_TIMEOUT_MS = 10_000


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database file."""
    return f"sqlite:///{path}"


def create_sql_engine(url: str) -> Engine:
    """An engine for `sqlite:///...` or `postgresql://...`; raises ConfigurationError for anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "database_url: not a database URL; write postgresql://USER:PASSWORD@HOST:5432/NAME or sqlite:////path/file.db"
        ) from None
    if parsed.drivername == "sqlite":
        engine = create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    if parsed.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
        except NoSuchModuleError as error:
            raise ConfigurationError(f"database_url: the PostgreSQL driver is not installed: {error}") from None
    raise ConfigurationError(f"database_url: {parsed.drivername!r} is not supported; use postgresql:// or sqlite:///")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Turn a database that is away into UnavailableError, without its URL's password."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(f"database {engine.url!r} is not available: {_first_line(error)}") from None


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else type(error).__name__


def migrate(engine: Engine, migrations: Path, version_table: str, target: str = "head") -> None:
    """Bring the tables of one package to revision `target`, up or ("base", "-1") down."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with database_errors(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table
        if target == "base" or target.startswith("-"):
            command.downgrade(config, target)
        else:
            command.upgrade(config, target)
