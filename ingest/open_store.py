"""Which object store the settings ask for, and the spool before it. Opens no connection, touches no disk."""

from pathlib import Path

from ingest.directory_store import DirectoryStore
from ingest.object_key import ObjectKind
from ingest.object_store import ObjectStore
from ingest.s3_store import S3Store
from ingest.settings import ObjectStoreSettings
from ingest.spool import Spool

SPOOL_FOLDER = "spool"
OBJECTS_FOLDER = "objects"


def open_store(settings: ObjectStoreSettings, data: Path) -> ObjectStore:
    """S3 when `s3_endpoint` is set, else `objects/` in the data folder; ConfigurationError when it cannot be."""
    if settings.s3_endpoint:
        return S3Store(settings)
    return DirectoryStore(data / OBJECTS_FOLDER)


def place_of_object(settings: ObjectStoreSettings, data: Path, key: str) -> str:
    """Where people find an object: its file, or its s3:// URL."""
    if settings.s3_endpoint:
        return f"s3://{settings.s3_bucket}/{key}"
    return str((data / OBJECTS_FOLDER / key).absolute())


def open_spool(settings: ObjectStoreSettings, data: Path) -> Spool:
    """The spool in the data folder. When its disk is full, the oldest segments go: also those that are stored already,
    where the object store is a directory on the same disk."""
    stored = None if settings.s3_endpoint else DirectoryStore(data / OBJECTS_FOLDER)
    return Spool(
        data / SPOOL_FOLDER,
        settings.spool_max_bytes,
        settings.spool_min_free_bytes,
        (lambda: stored.drop_oldest(f"{ObjectKind.SEGMENT}/")) if stored else None,
    )
