"""One MP4 file that is being cut from a camera's ring: from a key frame on, by cursor, into the spool.

Used by the recorder's thread alone; never waits for packets. A disk that refuses or a stream that cannot be muxed
ends the file with what it has; nothing is raised once it has begun.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto

import msgspec

from ingest.fmp4 import FragmentWriter
from ingest.packet import Packet, StreamInfo
from ingest.ring import PacketRing
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.errors import SharpEyesError
from runtime.log import get_logger

BATCH_PACKETS = 256

_log = get_logger(__name__)


class Pumped(Enum):
    """Why `pump` stopped."""

    HUNGRY = auto()
    """All that the ring holds is written; more will come."""
    OVER = auto()
    """The next packet is the first that does not belong to the file."""
    SESSION_ENDED = auto()
    """What follows in the ring belongs to another session of the camera."""
    FAILED = auto()
    """The file cannot be written any further."""


class RingCut:
    """A file whose first packet is the key frame at `index`; raises UnavailableError when it cannot be begun."""

    def __init__(self, ring: PacketRing, index: int, spool: Spool, record: SpoolRecord) -> None:
        batch = ring.read(index, 1)
        if not batch.packets or batch.info is None:
            raise SharpEyesError("the ring holds no packet to begin with")
        first: Packet = batch.packets[0]
        info: StreamInfo = batch.info
        self.record = msgspec.structs.replace(record, start_ns=first.stamp.t_ns, codec=info.codec)
        self.next_index = batch.next_index - 1
        self.failure = ""
        self._ring = ring
        self._spool = spool
        self._epoch = batch.epoch
        self._file = spool.begin(self.record)
        self._writer: FragmentWriter | None = None
        with self._failures_kept():
            self._writer = FragmentWriter(self._file, info)

    @property
    def end_ns(self) -> int:
        """The end of the last packet's picture."""
        return self.record.start_ns + (self._writer.duration_ns if self._writer else 0)

    def pump(self, is_over: Callable[[Packet], bool]) -> Pumped:
        """Write what the ring holds, up to the first packet for which `is_over` is true."""
        while not self.failure:
            batch = self._ring.read(self.next_index, BATCH_PACKETS)
            if batch.epoch != self._epoch:
                return Pumped.SESSION_ENDED
            if not batch.packets:
                return Pumped.HUNGRY
            if batch.lost:
                _log.warning("recording has a gap", camera=self.record.camera_id, packets=batch.lost)
            if self._write_until(batch.packets, batch.next_index, is_over):
                return Pumped.OVER
        return Pumped.FAILED

    def share(self, alert_ids: tuple[str, ...]) -> None:
        """Let these alerts have the file."""
        self.record = msgspec.structs.replace(self.record, alert_ids=alert_ids)
        try:
            self._spool.share(self.record)
        except SharpEyesError as error:
            # The record in memory is right, and `finish` writes it again.
            _log.warning("alerts of a clip not yet kept", clip=self.record.object_id, reason=str(error))

    def finish(self) -> None:
        """End the file and hand it to the spool; a failed one keeps its whole fragments."""
        if self._writer is not None and not self.failure:
            with self._failures_kept():
                self._writer.close()
        if self._writer is None:
            self._spool.lose(self.record, self.failure, self._file)
        elif self.failure:
            _log.warning("recording cut short", object=self.record.object_id, reason=self.failure)
            self._spool.cut_short(self._file, self.record, self.failure)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        record = msgspec.structs.replace(self.record, end_ns=self.end_ns)
        try:
            self._spool.finish(self._file, record)
        except SharpEyesError as error:
            self.failure = str(error)
            self._spool.lose(record, self.failure, self._file)

    def _write_until(self, packets: tuple[Packet, ...], next_index: int, is_over: Callable[[Packet], bool]) -> bool:
        writer = self._writer
        assert writer is not None  # a cut without a writer has failed and is not pumped
        self.next_index = next_index - len(packets)
        with self._failures_kept():
            for packet in packets:
                if is_over(packet):
                    return True
                writer.write(packet)
                self.next_index += 1
        return False

    @contextmanager
    def _failures_kept(self) -> Iterator[None]:
        try:
            yield
        except (SharpEyesError, OSError) as error:
            self.failure = str(error)
