"""Files that survive a crash whole: written beside, fsynced, renamed. Calls block on the disk and raise OSError."""

import hashlib
import os
import uuid
from pathlib import Path


def make_directories(folder: Path) -> None:
    """Make `folder` and its parents; their entries are on the disk when this returns."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        fsync_directory(path.parent)


def fsync_directory(folder: Path) -> None:
    """Bring the folder's entries to the disk, so that a rename in it is not lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: a reader or a crash sees the old or the new file, never a part."""
    writing = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with writing.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        writing.replace(path)
    finally:
        writing.unlink(missing_ok=True)
    fsync_directory(path.parent)


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
