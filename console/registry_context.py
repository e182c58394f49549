"""The registry as commands and roles open it: from the settings, on the folder or database they name.

Blocks on the disk and the database. Raises ConfigurationError and UnavailableError, which the command line shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from console.data_folder import prepare_data_folder
from console.settings import Settings
from devices.secrets import open_secret_box
from devices.sql_registry import SqlRegistry, open_registry


def registry_of(settings: Settings) -> SqlRegistry:
    """Open the registry that `settings` name; the caller closes it."""
    prepare_data_folder(settings.data)
    secrets = open_secret_box(settings.key_file, settings.data)
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    return open_registry(url, settings.data, secrets)


@contextmanager
def command_registry(context: typer.Context) -> Iterator[SqlRegistry]:
    """The registry for the length of one command."""
    settings: Settings = context.obj.values
    registry = registry_of(settings)
    try:
        yield registry
    finally:
        registry.close()
