"""Settings that are well-formed one by one and yet cannot work, found before a role starts anything.

Reads the key file (makes the one in the data folder); opens no connection. Raises ConfigurationError that names the
setting. What only a server can tell, such as a wrong password, is told by the parts of the role while it runs.
"""

from console.settings import Settings
from devices.secrets import open_secret_box
from ingest.mqtt_target import target_from_settings
from ingest.open_store import open_store
from runtime.sql import create_sql_engine


def check_settings(settings: Settings) -> None:
    """Return when every part could be made from these settings."""
    open_secret_box(settings.key_file, settings.data)
    if settings.database_url is not None:
        create_sql_engine(settings.database_url.get_secret_value()).dispose()
    open_store(settings, settings.data)
    target_from_settings(settings)
