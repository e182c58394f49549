"""The spool: a directory where clips, snapshots and segments are written before they go to the object store.

`<id>.json` (the record), `<id>.part` (being written), `<id>.mp4` or `.jpg` (finished). Used from many threads; calls
block on the disk. Bounded by bytes and by what must stay free on the disk: the oldest finished segments go first,
nothing that an alert waits for goes. Raises `UnavailableError` when the disk refuses or nothing more may go.
"""

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from ingest.byte_tally import ByteTally
from ingest.durable_file import fsync_directory, make_directories, sha256_of, write_whole
from ingest.object_key import ObjectKind
from ingest.salvage import duration_ns, keep_whole_fragments
from ingest.spool_file import SpoolFile
from ingest.spool_record import SpoolRecord, read_record, write_record
from runtime import metrics
from runtime.errors import InvalidInputError, UnavailableError
from runtime.language import say
from runtime.log import get_logger

RECORD, PART = ".json", ".part"
KILLED = say(zh="写入之前进程就被终止了", en="the process was killed before anything of it was written")

CLIP_SHARE_OF_FREE = 4
"""Segments leave the whole reserve of the disk free, clips and snapshots a quarter of it: that is for the ledger."""

_log = get_logger(__name__)

Reclaim = Callable[[], int]
"""Frees room outside the spool, on the same disk; the bytes freed, 0 when there is nothing more to free."""


class SpoolFullError(UnavailableError):
    """The spool or its disk is full and nothing in it may be dropped."""


class Spool:
    """See the module. Nothing is touched before `open`."""

    def __init__(self, folder: Path, max_bytes: int, min_free_bytes: int, reclaim: Reclaim | None = None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._reclaim = reclaim
        self._lock = threading.RLock()
        self._records: dict[str, SpoolRecord] = {}
        self._finished = ByteTally()
        self._writing = ByteTally()
        self._is_open = False
        self._listeners: list[Callable[[], None]] = []

    def open(self) -> None:
        """Make the folder and take up what an earlier process left; once it has succeeded, calling again does nothing.

        Raises UnavailableError when the folder cannot be written.
        """
        with self._lock:
            if self._is_open:
                return
            with self._disk_errors():
                make_directories(self._folder)
                if not os.access(self._folder, os.W_OK):
                    raise PermissionError(errno.EACCES, "Permission denied")
                self._take_up()
            self._is_open = True
            self._count()

    def check(self) -> None:
        """Raise UnavailableError, saying why, unless a clip could be written now."""
        self.open()
        probe = SpoolRecord(object_id="probe", kind=ObjectKind.CLIP, camera_id="probe", start_ns=0)
        with self._lock, self._disk_errors():
            self._make_room(probe, 0)
            write_whole(self._folder / f"{probe.object_id}{PART}", b"")
            (self._folder / f"{probe.object_id}{PART}").unlink()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener()`, from whatever thread, whenever something finished is waiting."""
        self._listeners.append(listener)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, those being written included."""
        with self._lock:
            return self._finished.total_bytes + self._writing.total_bytes

    def waiting(self) -> Sequence[SpoolRecord]:
        """What is finished or lost: first what alerts wait for, then segments; each oldest first."""
        with self._lock:
            ready = [r for r in self._records.values() if r.lost or r.is_finished]
        return sorted(ready, key=lambda record: (record.may_be_dropped, record.start_ns))

    def alert_ids(self) -> frozenset[str]:
        """The alerts whose clip is in the spool, being written, waiting or lost but not yet told."""
        with self._lock:
            return frozenset(
                alert_id for r in self._records.values() if r.kind is ObjectKind.CLIP for alert_id in r.alert_ids
            )

    def path(self, record: SpoolRecord) -> Path:
        """Where the finished file is."""
        return self._folder / f"{record.object_id}{record.kind.suffix}"

    def begin(self, record: SpoolRecord) -> SpoolFile:
        """Begin the file of a new record."""
        self.open()
        with self._lock, self._disk_errors():
            self._make_room(record, 0)
            self._keep(record)
            try:
                return SpoolFile(self._folder / f"{record.object_id}{PART}", lambda size: self._grow(record, size))
            except OSError:
                self._forget(record)
                raise

    def share(self, record: SpoolRecord) -> None:
        """Keep the changed alerts of a record whose file is being written."""
        with self._lock, self._disk_errors():
            self._keep(record)

    def finish(self, file: SpoolFile, record: SpoolRecord) -> SpoolRecord:
        """End the file: durable and ready to go. `record` carries its final times and alerts."""
        with self._disk_errors():
            size_bytes, sha256 = file.finish()
            finished = msgspec.structs.replace(record, size_bytes=size_bytes, sha256=sha256)
            with self._lock:
                self._keep(finished)
                self._writing.drop(record.object_id)
                file.path.replace(self.path(record))
                fsync_directory(self._folder)
        self._count()
        self._tell()
        return finished

    def cut_short(self, file: SpoolFile, record: SpoolRecord, reason: str) -> None:
        """End a file that could not be written to its end: its whole fragments stay, or else the record is lost."""
        file.close()
        try:
            with self._lock, self._disk_errors():
                self._recover(record, reason)
                self._writing.drop(record.object_id)
        except UnavailableError as error:
            self.lose(record, str(error), file)
        self._count()
        self._tell()

    def lose(self, record: SpoolRecord, reason: str, file: SpoolFile | None = None) -> None:
        """Say that the record's file will never be: its alerts will be told. Works with a disk that refuses."""
        if file is not None:
            file.abandon()
        lost = msgspec.structs.replace(record, lost=reason, size_bytes=0, sha256="")
        with self._lock:
            self._writing.drop(record.object_id)
            if record.may_be_dropped:
                self._forget(record)
                return
            self._note(lost)
            with suppress(OSError):
                write_record(self._folder / f"{record.object_id}{RECORD}", lost)
        metrics.clips_lost.inc()
        self._tell()

    def discard(self, record: SpoolRecord) -> None:
        """Forget a record and remove its file: it has arrived, or nobody wants it any more."""
        with self._lock, self._disk_errors():
            self._forget(record)
        self._count()

    def _keep(self, record: SpoolRecord) -> None:
        write_record(self._folder / f"{record.object_id}{RECORD}", record)
        self._note(record)

    def _note(self, record: SpoolRecord) -> None:
        self._records[record.object_id] = record
        self._finished.put(record.object_id, record.size_bytes)

    def _forget(self, record: SpoolRecord) -> None:
        """The record goes first: a file without one is removed at the next start."""
        self._records.pop(record.object_id, None)
        self._finished.drop(record.object_id)
        (self._folder / f"{record.object_id}{RECORD}").unlink(missing_ok=True)
        (self._folder / f"{record.object_id}{PART}").unlink(missing_ok=True)
        self.path(record).unlink(missing_ok=True)

    def _grow(self, record: SpoolRecord, size_bytes: int) -> None:
        with self._lock:
            self._make_room(record, size_bytes)
            self._writing.grow(record.object_id, size_bytes)

    def _make_room(self, record: SpoolRecord, size_bytes: int) -> None:
        while self.size_bytes + size_bytes > self._max_bytes:
            if not self._drop_oldest_segment():
                raise SpoolFullError(
                    say(
                        zh=f"暂存目录 {self._folder} 中等待上传的文件已达 {self.size_bytes >> 20} MiB，到了 "
                        "spool_max_bytes 的上限：请恢复对象存储，或调大 spool_max_bytes",
                        en=f"the spool {self._folder} holds {self.size_bytes >> 20} MiB that wait for the object "
                        "store, as much as spool_max_bytes allows: bring the object store back, or raise "
                        "spool_max_bytes",
                    )
                )
        reserve_bytes = self._min_free_bytes // (1 if record.may_be_dropped else CLIP_SHARE_OF_FREE)
        while shutil.disk_usage(self._folder).free < reserve_bytes + size_bytes:
            if not self._drop_oldest_segment() and not (self._reclaim and self._reclaim()):
                raise SpoolFullError(
                    say(
                        zh=f"{self._folder} 所在磁盘的剩余空间不足 {reserve_bytes >> 20} MiB，这些空间要留给告警："
                        "请清理磁盘",
                        en=f"the disk of {self._folder} has less than {reserve_bytes >> 20} MiB left, which are kept "
                        "for alerts: make room on it",
                    )
                )

    def _drop_oldest_segment(self) -> bool:
        segments = (r for r in self._records.values() if r.may_be_dropped and r.is_finished)
        oldest = min(segments, key=lambda record: record.start_ns, default=None)
        if oldest is None:
            return False
        _log.warning("spool full, oldest segment dropped", camera=oldest.camera_id, segment=oldest.object_id)
        self._forget(oldest)
        metrics.segments_dropped.inc()
        return True

    def _count(self) -> None:
        metrics.spool_bytes.set(self.size_bytes)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _take_up(self) -> None:
        known: set[str] = set()
        for path in sorted(self._folder.glob(f"*{RECORD}")):
            try:
                record = read_record(path)
            except InvalidInputError as error:
                _log.error("spool record cannot be read, set aside", path=str(path), reason=str(error))
                path.replace(path.with_suffix(".bad"))
                continue
            known.add(record.object_id)
            self._note(record)
            if not record.lost:
                self._recover(record, KILLED)
        for path in self._folder.iterdir():
            is_ours = path.suffix in {PART, ".mp4", ".jpg"} or path.name.startswith(".")
            if is_ours and path.stem not in known:
                path.unlink()

    def _recover(self, record: SpoolRecord, reason: str) -> None:
        final, part = self.path(record), self._folder / f"{record.object_id}{PART}"
        if record.is_finished and final.exists() and final.stat().st_size == record.size_bytes:
            return
        written = final if final.exists() else part
        if not written.exists() or not self._is_worth_keeping(record, written):
            self.lose(record, reason)
            return
        length_ns = duration_ns(written) if record.kind is not ObjectKind.SNAPSHOT else 0
        mended = msgspec.structs.replace(
            record,
            end_ns=record.end_ns if record.is_finished else record.start_ns + length_ns,
            size_bytes=written.stat().st_size,
            sha256=sha256_of(written),
        )
        self._keep(mended)
        written.replace(final)
        fsync_directory(self._folder)
        _log.info("unfinished file salvaged", kind=record.kind.value, object=record.object_id)

    def _is_worth_keeping(self, record: SpoolRecord, written: Path) -> bool:
        if record.kind is ObjectKind.SNAPSHOT:
            return record.is_finished and written.stat().st_size == record.size_bytes
        return keep_whole_fragments(written) > 0

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                say(
                    zh=f"暂存目录 {self._folder} 无法写入：{error.strerror or error}。"
                    "请检查磁盘是否在线、有无剩余空间、是否属于当前用户",
                    en=f"the spool {self._folder} cannot be written: {error.strerror or error}. "
                    "Check that its disk is there, has room, and belongs to this user",
                )
            ) from None
