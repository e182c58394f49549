"""The object store port: where clips, snapshots and segments end up. Implemented by a directory and by any S3.

Calls block; asyncio code runs them in a thread. They raise `UnavailableError` when the store is away or refuses
everything, `InvalidInputError` when it refuses this one object for good, and `NotFoundError` for a missing key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size_bytes: int
    content_type: str
    sha256: str


class ObjectStore(Protocol):
    def check(self) -> None:
        """Raise UnavailableError, saying why, unless the store can be written now."""

    def put_file(self, key: str, source: Path, content_type: str, sha256: str) -> None:
        """Store the file under `key`, replacing what is there; all or nothing."""

    def stat(self, key: str) -> StoredObject: ...
    def fetch(self, key: str, target: Path) -> None: ...
    def remove(self, key: str) -> None: ...
    def keys(self, prefix: str) -> Iterator[str]: ...
