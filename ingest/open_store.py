"""Which object store the settings ask for. Opens no connection, touches no disk."""

from pathlib import Path

from ingest.directory_store import DirectoryStore
from ingest.object_store import ObjectStore
from ingest.s3_store import S3Store
from ingest.settings import ObjectStoreSettings


def open_store(settings: ObjectStoreSettings, data: Path) -> ObjectStore:
    """S3 when `s3_endpoint` is set, else `objects/` in the data folder; ConfigurationError when it cannot be."""
    if settings.s3_endpoint:
        return S3Store(settings)
    return DirectoryStore(data / "objects")
