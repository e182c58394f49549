"""Continuous recording of one camera: segments of about `segment_s`, cut at key frames, without a gap between them.

Runs in the recorder's thread; never waits for packets. When the spool refuses, it tries again a few seconds later
with the oldest key frame that is still in the ring; what has left the ring meanwhile is missing.
"""

from ulid import ULID

from ingest.object_key import ObjectKind
from ingest.packet import Packet
from ingest.ring import PacketRing
from ingest.ring_cut import Pumped, RingCut
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.clock import NS_PER_S, Clock
from runtime.errors import SharpEyesError
from runtime.log import get_logger

SILENT_S = 10.0
"""A segment whose camera sends nothing for so long is finished."""

RETRY_S = 5.0
MAX_SEGMENTS_PER_TICK = 16
"""A ring holds far fewer; a stream of nothing but key frames with wild times cannot keep the thread."""

_log = get_logger(__name__)


class SegmentWriter:
    """See the module."""

    def __init__(self, camera_id: str, ring: PacketRing, spool: Spool, segment_s: float, clock: Clock) -> None:
        self._camera_id = camera_id
        self._ring = ring
        self._spool = spool
        self._segment_ns = round(segment_s * NS_PER_S)
        self._clock = clock
        self._cut: RingCut | None = None
        newest = ring.newest_key()
        self._next_index = ring.head if newest is None else newest
        self._fed_at_s = 0.0
        self._retry_at_s = 0.0

    def tick(self) -> None:
        """Write what the ring holds; finish and begin segments."""
        for _ in range(MAX_SEGMENTS_PER_TICK):
            cut = self._cut or self._begin()
            if cut is None:
                return
            before = cut.next_index
            outcome = cut.pump(lambda packet, cut=cut: self._is_over(packet, cut))  # type: ignore[misc]
            now_s = self._clock.monotonic_s()
            if cut.next_index != before:
                self._fed_at_s = now_s
            if outcome is Pumped.HUNGRY and now_s - self._fed_at_s <= SILENT_S:
                return
            if outcome is Pumped.FAILED:
                self._retry_at_s = now_s + RETRY_S
            self.finish()

    def finish(self) -> None:
        """Finish the segment that is open."""
        cut, self._cut = self._cut, None
        if cut is not None:
            self._next_index = cut.next_index
            cut.finish()

    def fail(self, reason: str) -> None:
        """Forget the segment that is open; its whole fragments are kept."""
        if self._cut is not None:
            self._cut.failure = reason
            self._next_index = self._cut.next_index + 1
            self.finish()

    def _is_over(self, packet: Packet, cut: RingCut) -> bool:
        return packet.is_key and packet.stamp.t_ns - cut.record.start_ns >= self._segment_ns

    def _begin(self) -> RingCut | None:
        now_s = self._clock.monotonic_s()
        index = self._ring.next_key(self._next_index)
        if index is None or now_s < self._retry_at_s:
            return None
        record = SpoolRecord(object_id=str(ULID()), kind=ObjectKind.SEGMENT, camera_id=self._camera_id, start_ns=0)
        try:
            self._cut = RingCut(self._ring, index, self._spool, record)
        except SharpEyesError as error:
            self._retry_at_s = now_s + RETRY_S
            _log.warning("no segment recorded for now", camera=self._camera_id, reason=str(error))
            return None
        self._fed_at_s = now_s
        return self._cut
