"""What of a camera's packets is decoded: key frames while it is quiet, everything while something happens.

In: packets pulled from a ring. Out: frames, strictly rising in time, each with the mode it was decoded in. No thread
of its own: `step` does a bounded amount of work in the caller's, and what falls out of the ring meanwhile is counted
and skipped. Damaged packets are counted, never raised. docs/design/decode-policy.md says why it is so.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.camera_errors import Problem
from ingest.damage import Damage
from ingest.decoder import Decoder, decode_key_frame
from ingest.packet import Frame, Packet, StreamInfo
from ingest.packet_spread import PacketSpread
from ingest.ring import Batch, PacketRing
from ingest.sampler import Sampler
from runtime import metrics
from runtime.clock import NS_PER_S

STEP_PACKETS = 12
"""Packets decoded in one step at most (some 40 ms of work at 1080p), so that cameras take turns."""

WATCH_PACKETS = 256
"""Packets looked at, not decoded, in one step at most."""

BEHIND_NS = 3 * NS_PER_S
"""An active camera that is later than this jumps to the newest key frame: old alerts help nobody."""

BLIND_NS = 4 * NS_PER_S
"""A camera whose key frames are further apart is decoded in between: nothing may be in the picture longer unseen."""


class Mode(StrEnum):
    WATCH = "watch"
    LOOK_BACK = "look_back"
    ACTIVE = "active"


class Gate(Protocol):
    def stirs(self, luma: NDArray[np.uint8], t_ns: int) -> bool:
        """Whether the scene moves, from luma (h, w); times rise. The size may change from call to call."""


Decoded = tuple[Frame, Mode]


class FramePolicy:
    """Watch, look back, be active. `hold` tells that someone still wants every frame, as while a person loiters."""

    def __init__(
        self,
        ring: PacketRing,
        gate: Gate,
        detect_fps: float,
        *,
        still_after_s: float = 5.0,
        hold: Callable[[], bool] = lambda: False,
    ) -> None:
        self._ring = ring
        self._gate = gate
        self._sampler = Sampler(detect_fps)
        self._still_after_ns = round(still_after_s * NS_PER_S)
        self._hold = hold
        self._spread = PacketSpread()
        self._damage = Damage()
        self._cursor = ring.tail
        self._epoch = -1
        self._decoder: Decoder | None = None
        self._last_ns = 0
        self._gated_ns = 0
        self._stirred_ns = 0
        self._caught_up_ns = 0
        self._is_confirmed = False
        self._awaits_key = False
        self._trusts_sizes = False
        self._key_ns = 0
        self._skipped = 0
        self._decoded = 0

    @property
    def mode(self) -> Mode:
        if self._decoder is None:
            return Mode.WATCH
        return Mode.LOOK_BACK if self._last_ns < self._caught_up_ns else Mode.ACTIVE

    @property
    def waiting(self) -> int:
        """Packets in the ring that `step` has not looked at yet."""
        return self._ring.head - self._cursor

    @property
    def skipped(self) -> int:
        """Packets passed over because decoding was too slow for them."""
        return self._skipped

    @property
    def decoded(self) -> int:
        """Pictures decoded so far, those that were not given out included."""
        return self._decoded

    @property
    def problem(self) -> Problem | None:
        """What is wrong with the bitstream, when it has been so for a while."""
        return self._damage.problem

    def step(self) -> list[Decoded]:
        """Go on where the last step ended; what was decoded, perhaps nothing even while packets wait."""
        batch = self._pull()
        if batch.epoch != self._epoch:
            self._begin_epoch(batch)
        if batch.info is None:
            return []
        if self._decoder is None:
            return self._watch(batch, batch.info)
        return self._follow(batch, self._decoder)

    def drain(self) -> list[Decoded]:
        """The frames that an active decoder still holds back, at the end of a stream."""
        frames = self._decoder.drain() if self._decoder is not None else []
        self._decoder = None
        return [decoded for frame in frames for decoded in self._sampled(frame)]

    def _pull(self) -> Batch:
        self._jump_when_behind()
        batch = self._ring.read(self._cursor, WATCH_PACKETS if self._decoder is None else STEP_PACKETS)
        if batch.lost:
            self._skip_to(self._ring.newest_key() or batch.next_index)
            batch = self._ring.read(self._cursor, STEP_PACKETS)
        return batch

    def _jump_when_behind(self) -> None:
        newest = self._ring.newest_key()
        if self.mode is not Mode.ACTIVE or newest is None or newest <= self._cursor:
            return
        key = self._ring.read(newest, 1).packets
        if key and key[0].stamp.t_ns - self._last_ns > BEHIND_NS:
            self._skip_to(newest)

    def _skip_to(self, index: int) -> None:
        self._skipped += max(0, index - self._cursor)
        self._cursor = max(index, self._cursor)
        self._spread.reset_window()
        self._damage.await_key()

    def _begin_epoch(self, batch: Batch) -> None:
        self._epoch = batch.epoch
        self._spread.reset_window()
        if self._decoder is not None and batch.info is not None:
            self._decoder = Decoder(batch.info)

    def _watch(self, batch: Batch, info: StreamInfo) -> list[Decoded]:
        """Walk to the next key frame at most, and decode that."""
        first = batch.next_index - len(batch.packets)
        for index, packet in enumerate(batch.packets, first):
            self._cursor = index + 1
            stirs = self._spread.stirs(is_key=packet.is_key, size_bytes=len(packet.raw))
            if packet.is_key:
                return self._judge_key_frame(index, packet, info)
            self._awaits_key = packet.stamp.t_ns - self._key_ns > BLIND_NS
            if stirs or self._awaits_key:
                self._trusts_sizes = stirs
                self._look_back(self._ring.key_before(index), info)
                return []
        return []

    def _judge_key_frame(self, index: int, packet: Packet, info: StreamInfo) -> list[Decoded]:
        self._key_ns = packet.stamp.t_ns
        frame = decode_key_frame(info, packet)
        self._damage.note(packet.stamp.t_ns, is_good=frame is not None)
        if frame is None:
            return []
        self._count(packet.stamp.camera_id, Mode.WATCH)
        if packet.stamp.t_ns <= self._last_ns:
            return []
        if not self._asks_gate(frame):
            self._last_ns = packet.stamp.t_ns
            return [(frame, Mode.WATCH)]
        before = self._ring.key_before(index)
        has_same_epoch = before is not None and self._ring.epoch_at(before) == self._epoch
        self._look_back(before if has_same_epoch else index, info)
        self._is_confirmed = True
        return []

    def _look_back(self, key: int | None, info: StreamInfo) -> None:
        """Be active from the key frame at `key` on, up to now and further."""
        if key is None:
            return
        newest = self._ring.read(self._cursor - 1, 1).packets
        self._caught_up_ns = newest[0].stamp.t_ns if newest else self._last_ns
        self._cursor = key
        self._decoder = Decoder(info)
        self._is_confirmed = False
        self._stirred_ns = self._caught_up_ns
        self._sampler.restart(self._last_ns)

    def _follow(self, batch: Batch, decoder: Decoder) -> list[Decoded]:
        decoded: list[Decoded] = []
        for packet in batch.packets:
            self._cursor += 1
            if self._damage.waits_for_key and not packet.is_key:
                continue
            errors = decoder.errors
            frames = decoder.decode(packet)
            self._damage.note(packet.stamp.t_ns, is_good=decoder.errors == errors)
            for frame in frames:
                decoded += self._sampled(frame)
            if packet.is_key:
                self._key_ns = packet.stamp.t_ns
                self._awaits_key &= self._key_ns <= self._caught_up_ns
            if self._is_over():
                self._be_quiet()
                break
        return decoded

    def _sampled(self, frame: Frame) -> list[Decoded]:
        t_ns = frame.stamp.t_ns
        mode = Mode.LOOK_BACK if t_ns <= self._caught_up_ns else Mode.ACTIVE
        self._count(frame.stamp.camera_id, mode)
        if t_ns <= self._last_ns or not self._sampler.takes(t_ns):
            return []
        self._last_ns = t_ns
        if t_ns > self._gated_ns and self._asks_gate(frame):
            self._stirred_ns = max(t_ns, self._stirred_ns)
            self._is_confirmed = True
        return [(frame, mode)]

    def _count(self, camera_id: str, mode: Mode) -> None:
        self._decoded += 1
        metrics.frames_decoded.labels(camera_id, mode.value).inc()

    def _asks_gate(self, frame: Frame) -> bool:
        self._gated_ns = frame.stamp.t_ns
        return self._gate.stirs(frame.luma(), frame.stamp.t_ns)

    def _is_over(self) -> bool:
        if self._last_ns < self._caught_up_ns or self._awaits_key or self._hold():
            return False
        return not self._is_confirmed or self._last_ns - self._stirred_ns > self._still_after_ns

    def _be_quiet(self) -> None:
        if self._trusts_sizes and not self._is_confirmed:
            self._spread.note_false_alarm()
        self._trusts_sizes = False
        self._decoder = None
        self._damage.forget_key()
        self._spread.reset_window()
