"""The registry as commands and roles open it: from the settings, on the folder or database they name.

Blocks on the disk and the database. Raises ConfigurationError, NotFoundError and UnavailableError, which the command
line shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from console.data_folder import prepare_data_folder
from console.settings import Settings
from devices.secrets import open_secret_box
from devices.sql_registry import DATABASE_FILE, SqlRegistry, open_registry
from runtime.errors import NotFoundError
from runtime.language import say


def require_database(settings: Settings) -> None:
    """NotFoundError where the data folder has no database: looking there shall not make one."""
    if settings.database_url is not None or (settings.data / DATABASE_FILE).exists():
        return
    folder = settings.data.absolute()
    raise NotFoundError(
        say(
            zh=f"{folder} 中什么都没有。目录对吗？用 --data 指定；要从头开始，请先登记站点：sharpeyes site add --help",
            en=f"there is nothing in {folder}; is it the right folder? Name it with --data. To begin a new one, "
            "register a site: `sharpeyes site add --help`",
        )
    )


def registry_of(settings: Settings) -> SqlRegistry:
    """Open the registry that `settings` name; the caller closes it."""
    prepare_data_folder(settings.data)
    secrets = open_secret_box(settings.key_file, settings.data)
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    return open_registry(url, settings.data, secrets)


@contextmanager
def command_registry(context: typer.Context, *, may_begin: bool = False) -> Iterator[SqlRegistry]:
    """The registry for the length of one command; only one that `may_begin` makes it where there is none yet."""
    settings: Settings = context.obj.values
    if not may_begin:
        require_database(settings)
    registry = registry_of(settings)
    try:
        yield registry
    finally:
        registry.close()
