"""SQL engines and migrations for the packages that keep tables: SQLite in WAL by default, PostgreSQL by setting.

Each package keeps its migrations in `<package>/migrations` with a version table of its own. Calls block.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from runtime.errors import ConfigurationError, UnavailableError
from runtime.language import say

CONNECT_TIMEOUT_S = 5
BUSY_TIMEOUT_MS = 10_000
MIGRATION_LOCK = 0x5348_4152_5045
"""Key of the PostgreSQL advisory lock that one migration at a time holds: any number that others do not use."""


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite database file."""
    return f"sqlite:///{path}"


def create_sql_engine(url: str) -> Engine:
    """An engine for `sqlite:///...` or `postgresql://...`; raises ConfigurationError for anything else."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            say(
                zh="database_url：不是数据库地址；请写成 postgresql://USER:PASSWORD@HOST:5432/NAME "
                "或 sqlite:////path/file.db",
                en="database_url: not a database URL; write postgresql://USER:PASSWORD@HOST:5432/NAME or "
                "sqlite:////path/file.db",
            )
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
            raise ConfigurationError(
                say(
                    zh=f"database_url：未安装 PostgreSQL 驱动：{error}",
                    en=f"database_url: the PostgreSQL driver is not installed: {error}",
                )
            ) from None
    raise ConfigurationError(
        say(
            zh=f"database_url：不支持 {parsed.drivername!r}；请用 postgresql:// 或 sqlite:///",
            en=f"database_url: {parsed.drivername!r} is not supported; use postgresql:// or sqlite:///",
        )
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


@contextmanager
def database_errors(engine: Engine) -> Iterator[None]:
    """Turn a database that is away into UnavailableError, without its URL's password or query."""
    try:
        yield
    except DatabaseError as error:
        # A subclass such as IntegrityError is this program's mistake; plain DatabaseError is a damaged or foreign file.
        if type(error) not in {DatabaseError, OperationalError}:
            raise
        raise _unavailable(engine, error) from None
    except InterfaceError as error:
        raise _unavailable(engine, error) from None


def _unavailable(engine: Engine, error: DBAPIError) -> UnavailableError:
    database, reason = _shown(engine), _first_line(error)
    return UnavailableError(
        say(zh=f"数据库 {database} 不可用：{reason}", en=f"database {database} is not available: {reason}")
    )


def _shown(engine: Engine) -> str:
    """The URL as people may see it: no password, and no query, which may hold another one."""
    return engine.url.set(query={}).render_as_string(hide_password=True)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig and str(error.orig).strip() else type(error).__name__


def migrate(engine: Engine, migrations: Path, version_table: str, target: str = "head") -> None:
    """Bring the tables of one package to revision `target`, up or ("base", "-1") down.

    Safe when several processes or threads open one database at once: all but one wait. Raises UnavailableError when
    the database is away, ConfigurationError when it is newer than this program or its user may not make tables.
    """
    config = Config(attributes={"version_table": version_table})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with _ALEMBIC, database_errors(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        try:
            if target != "head":
                _lock_migrations(connection)
                command.downgrade(config, target)
            elif not _is_at_head(connection, config, version_table):
                _lock_migrations(connection)
                command.upgrade(config, target)
        except (CommandError, ProgrammingError) as error:
            database, reason = _shown(engine), _explain_migration(error)
            raise ConfigurationError(
                say(
                    zh=f"数据库 {database} 的表无法变成本程序需要的样子：{reason}",
                    en=f"database {database}: its tables cannot be made what this program needs: {reason}",
                )
            ) from None


_ALEMBIC = threading.Lock()
"""Alembic keeps the migration that runs in module globals."""


def _is_at_head(connection: Connection, config: Config, version_table: str) -> bool:
    """Whether nothing is to do: known without a lock, so that starting does not wait for a writer."""
    context = MigrationContext.configure(connection, opts={"version_table": version_table})
    return set(context.get_current_heads()) == set(ScriptDirectory.from_config(config).get_heads())


def _lock_migrations(connection: Connection) -> None:
    """Alone until the transaction ends. SQLite's driver would not even begin one before a CREATE TABLE."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def _explain_migration(error: CommandError | ProgrammingError) -> str:
    if isinstance(error, ProgrammingError):
        return _first_line(error)
    return say(
        zh=f"{error}。它可能由更新的版本使用过：请安装该版本，或恢复升级前的备份",
        en=f"{error}. A newer version may have used it: install that one, or restore the backup made before",
    )
