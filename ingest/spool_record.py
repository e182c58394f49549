"""What the spool knows of one file: the JSON beside it, from which a restarted process goes on."""

from pathlib import Path

import msgspec

from ingest.durable_file import write_whole
from ingest.object_key import ObjectKind, object_key
from ingest.packet import Clip, Codec
from runtime.errors import InvalidInputError

MAX_RECORD_BYTES = 256 * 1024
"""Far above a record with the most alerts that share a clip; whoever writes into the spool cannot fill our memory."""


class SpoolRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A clip, snapshot or segment in the spool.

    `sha256` is empty while the file is being written; `lost` says why there will be no file, for its alerts.
    """

    object_id: str
    kind: ObjectKind
    camera_id: str
    start_ns: int
    end_ns: int = 0
    alert_ids: tuple[str, ...] = ()
    codec: Codec | None = None
    size_bytes: int = 0
    sha256: str = ""
    lost: str = ""

    @property
    def key(self) -> str:
        """Where the object will be in the object store."""
        return object_key(self.kind, self.camera_id, self.object_id, self.start_ns)

    @property
    def is_finished(self) -> bool:
        return bool(self.sha256)

    @property
    def may_be_dropped(self) -> bool:
        """Whether a full disk may cost it: no alert waits for a segment."""
        return self.kind is ObjectKind.SEGMENT

    def clip(self) -> Clip:
        """The clip that this finished record is."""
        if not self.is_finished or self.codec is None:
            raise InvalidInputError(f"{self.object_id} is not a finished clip")
        return Clip(
            clip_id=self.object_id,
            camera_id=self.camera_id,
            start_ns=self.start_ns,
            end_ns=self.end_ns,
            key=self.key,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            codec=self.codec,
        )


def write_record(path: Path, record: SpoolRecord) -> None:
    """Replace the file at `path`, durably; raises OSError."""
    write_whole(path, msgspec.json.encode(record))


def read_record(path: Path) -> SpoolRecord:
    """The record at `path`; InvalidInputError when it is none, OSError when the disk refuses."""
    with path.open("rb") as file:
        content = file.read(MAX_RECORD_BYTES)
    try:
        record = msgspec.json.decode(content, type=SpoolRecord)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{path.name} is not a spool record: {error}") from None
    if record.object_id != path.stem:
        raise InvalidInputError(f"{path.name} is the record of {record.object_id[:80]!r}")
    if record.is_finished and record.kind is not ObjectKind.SNAPSHOT and record.codec is None:
        raise InvalidInputError(f"{path.name} does not name the codec of its finished file")
    record.key  # noqa: B018 - raises InvalidInputError for ids that cannot be in a key
    return record
