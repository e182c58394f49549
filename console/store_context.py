"""The alert store as commands open it: from the settings, on the folder or database they name.

Blocks on the disk and the database. Raises NotFoundError for a folder that holds nothing, and UnavailableError.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from alerts.store import AlertStore, open_alert_store
from console.data_folder import prepare_data_folder
from console.registry_context import require_database
from console.settings import Settings


@contextmanager
def command_store(context: typer.Context) -> Iterator[AlertStore]:
    """The alert store for the length of one command."""
    settings: Settings = context.obj.values
    require_database(settings)
    prepare_data_folder(settings.data)
    url = settings.database_url.get_secret_value() if settings.database_url is not None else None
    store = open_alert_store(url, settings.data)
    try:
        yield store
    finally:
        store.close()
