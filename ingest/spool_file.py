"""A file of the spool while it is written: bytes in, their number and SHA-256 out. Used by one thread at a time.

Unbuffered, so that what `write` has taken survives the death of the process. Raises OSError when the disk refuses,
and what `reserve` raises when there is no room.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


class SpoolFile:
    """Made new at `path`; `reserve(size_bytes)` is asked before each write."""

    def __init__(self, path: Path, reserve: Callable[[int], None]) -> None:
        self.path = path
        self.size_bytes = 0
        self._reserve = reserve
        self._sha256 = hashlib.sha256()
        self._file = path.open("xb", buffering=0)

    def write(self, data: bytes) -> int:
        """Append all of `data`."""
        self._reserve(len(data))
        left = memoryview(data)
        while left:
            written = self._file.write(left)
            self._sha256.update(left[:written])
            self.size_bytes += written
            left = left[written:]
        return len(data)

    def finish(self) -> tuple[int, str]:
        """Bring everything to the disk and close; size in bytes and SHA-256, hexadecimal."""
        try:
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        return self.size_bytes, self._sha256.hexdigest()

    def close(self) -> None:
        """Leave the file as it is."""
        self._file.close()

    def abandon(self) -> None:
        """Close and remove it; never raises."""
        self._file.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return  # the record goes too; the next start removes what is left
