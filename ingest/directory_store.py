"""The object store as a directory: an object is the file <root>/<key>; <root>/.about/<key>.json keeps type and sha256.

Calls block on the disk; many threads may call. An object is written to a temporary file, fsynced and renamed, so
a reader or a crash sees the old or the new one, whole. Raises `UnavailableError` when the disk refuses,
`NotFoundError` for a missing key, `InvalidInputError` for a key that is not one.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ingest.durable_file import fsync_directory, make_directories, sha256_of, write_whole
from ingest.object_key import check_key, check_prefix
from ingest.object_store import StoredObject
from runtime.errors import NotFoundError, UnavailableError
from runtime.language import say

_VERBS = {"read": "读取", "written": "写入"}

_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}


@dataclass(frozen=True, slots=True)
class _About:
    """What is kept beside an object. `mtime_ns` ties it to one very file, for a crash may leave it beside another."""

    content_type: str
    sha256: str
    size_bytes: int
    mtime_ns: int


class DirectoryStore:
    """Implements `ingest.object_store.ObjectStore` below `root`, which is made when it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._objects = root
        self._about = root / ".about"  # no key begins with a dot
        self._incoming = root / ".incoming"

    def check(self) -> None:
        """Raise UnavailableError unless a file can be written below the root."""
        with self._disk_errors("written"):
            make_directories(self._incoming)
            probe = self._incoming / f"probe-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()

    def put_file(self, key: str, source: Path, content_type: str, sha256: str) -> None:
        """Store `source`, which must not change later: on the same file system the object is a hard link to it."""
        target = self._objects / check_key(key)
        about_path = self._about_path(key)
        if not source.is_file():
            raise NotFoundError(say(zh=f"{source}：没有这个文件", en=f"{source}: there is no such file to store"))
        with self._disk_errors("written"):
            for folder in (self._incoming, target.parent, about_path.parent):
                make_directories(folder)
            incoming = self._incoming / uuid.uuid4().hex
            try:
                _link_or_copy(source, incoming)
                facts = incoming.stat()
                about = _About(content_type, sha256, facts.st_size, facts.st_mtime_ns)
                write_whole(about_path, json.dumps(asdict(about)).encode())
                incoming.replace(target)
            finally:
                incoming.unlink(missing_ok=True)
            fsync_directory(target.parent)

    def stat(self, key: str) -> StoredObject:
        path = self._objects / check_key(key)
        with self._disk_errors("read"), _missing(key):
            facts = path.stat()
            about = self._read_about(key)
            if about is None or (about.size_bytes, about.mtime_ns) != (facts.st_size, facts.st_mtime_ns):
                about = _About(_TYPES.get(path.suffix, "application/octet-stream"), sha256_of(path), facts.st_size, 0)
            return StoredObject(key, facts.st_size, about.content_type, about.sha256)

    def fetch(self, key: str, target: Path) -> None:
        """Copy the object to `target`, replacing it whole."""
        path = self._objects / check_key(key)
        with self._disk_errors("read"), _missing(key):
            arriving = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
            try:
                shutil.copyfile(path, arriving)
                arriving.replace(target)
            finally:
                arriving.unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Remove the object; NotFoundError when there is none."""
        path = self._objects / check_key(key)
        with self._disk_errors("written"), _missing(key):
            path.unlink()
            self._about_path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order of their names."""
        check_prefix(prefix)
        folder = self._objects / prefix.rpartition("/")[0]
        with self._disk_errors("read"):
            yield from (key for key in self._walk(folder) if key.startswith(prefix))

    def drop_oldest(self, prefix: str) -> int:
        """Remove the object of the earliest day and name below `prefix`, of any camera; its bytes, 0 if none."""
        with self._disk_errors("written"):
            cameras = _entries(self._objects / check_prefix(prefix))
            firsts = ((_first_file(camera), camera) for camera in cameras)
            oldest = min(((path.relative_to(camera), path) for path, camera in firsts if path), default=None)
            if oldest is None:
                return 0
            size_bytes = oldest[1].stat().st_size
            self.remove(oldest[1].relative_to(self._objects).as_posix())
            return size_bytes

    def _walk(self, folder: Path) -> Iterator[str]:
        for where, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                yield (Path(where) / name).relative_to(self._objects).as_posix()

    def _about_path(self, key: str) -> Path:
        return self._about / f"{key}.json"

    def _read_about(self, key: str) -> _About | None:
        with suppress(OSError, ValueError, TypeError):
            return _About(**json.loads(self._about_path(key).read_bytes()))
        return None

    @contextmanager
    def _disk_errors(self, verb: Literal["read", "written"]) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                say(
                    zh=f"对象存储目录 {self._root} 无法{_VERBS[verb]}：{error.strerror or error}。"
                    "请检查磁盘是否在线、有无剩余空间、是否属于当前用户",
                    en=f"the object store {self._root} cannot be {verb}: {error.strerror or error}. "
                    "Check that its disk is there, has room, and belongs to this user",
                )
            ) from None


@contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NotFoundError(say(zh=f"对象存储中没有 {key}", en=f"the object store has no object {key}")) from None


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _first_file(folder: Path) -> Path | None:
    """The file that comes first by name, level by level; looks into as few folders as it can."""
    for entry in _entries(folder):
        found = _first_file(entry) if entry.is_dir() else entry
        if found is not None:
            return found
    return None


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
