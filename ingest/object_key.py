"""Keys of the object store: `clips/<camera>/<yyyy>/<mm>/<dd>/<id>.mp4` and the like, by UTC day.

A key is also a path below a directory, so it is checked before any store touches it: `InvalidInputError`.
"""

import re
from enum import StrEnum

from devices.validation import check_id
from runtime.clock import utc
from runtime.errors import InvalidInputError

MAX_KEY_CHARS = 512
"""S3 allows 1024 bytes; half of it leaves room for a directory in front on every file system."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,127})*")


class ObjectKind(StrEnum):
    """What is kept. The value is the first folder of the key."""

    CLIP = "clips"
    SNAPSHOT = "snapshots"
    SEGMENT = "segments"

    @property
    def suffix(self) -> str:
        return ".jpg" if self is ObjectKind.SNAPSHOT else ".mp4"

    @property
    def content_type(self) -> str:
        return "image/jpeg" if self is ObjectKind.SNAPSHOT else "video/mp4"


def object_key(kind: ObjectKind, camera_id: str, object_id: str, t_ns: int) -> str:
    """The key of an object that began at `t_ns`."""
    check_id(camera_id, "camera_id")
    check_id(object_id, "object_id")
    return f"{kind}/{camera_id}/{utc(t_ns):%Y/%m/%d}/{object_id}{kind.suffix}"


def check_key(key: str) -> str:
    """`key` itself; raises InvalidInputError unless it stays below the store's root and is of bounded length."""
    if len(key) > MAX_KEY_CHARS or not _KEY.fullmatch(key):
        raise InvalidInputError(
            f"object key {key[:80]!r}: use names of A-Z a-z 0-9 . _ - that begin with a letter or digit, joined by '/'"
        )
    return key


def check_prefix(prefix: str) -> str:
    """`prefix` itself; raises InvalidInputError unless it is empty, a key, or a key and a slash."""
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix
