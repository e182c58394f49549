"""The worker's way of a frame over one source, in one loop: packets, ring, decode policy, pipeline, nothing dropped.

Blocks its caller for as long as the source lasts: a recording as fast as it goes, a camera in its own time. Raises
`CameraError` when the source cannot be read on, `InvalidInputError` when it holds no picture.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from analytics.camera_pipeline import CameraPipeline, FrameResult
from analytics.events import Event
from analytics.motion_gate import MotionGate
from ingest.arrival import Encoded
from ingest.decode_policy import Decoded, FramePolicy, Mode
from ingest.every_frame import EveryFrame
from ingest.libav_source import Item
from ingest.packet import Packet, Stamp, StreamInfo
from ingest.ring import PacketRing
from ingest.sampler import Sampler
from ingest.wall_time import Timeline
from runtime.clock import NS_PER_S
from runtime.errors import InvalidInputError
from runtime.language import say

CAMERA_ID = "analyze"

DETECT_FPS = 5.0
"""As a registered camera has it unless told otherwise."""

INDEX_PACKETS = 16_384
"""Frames whose index is still known: far more than any ring and any reordering hold back."""


@dataclass(slots=True)
class Progress:
    """How far the analysis is; `packets` counts the pictures of the source, decoded or not."""

    packets: int = 0
    size_bytes: int = 0
    decoded: int = 0
    detected: int = 0
    t_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Analysed:
    """What came of a frame. `index` counts pictures from 0 in order of display; `t_s` is from the first."""

    index: int
    t_s: float
    result: FrameResult


class SourceAnalysis:
    """One run over one source. With `every_frame` there is no gate, and no sampling unless `detect_fps` says so."""

    def __init__(
        self,
        pipeline: CameraPipeline,
        ring: PacketRing,
        timeline: Timeline,
        *,
        every_frame: bool,
        detect_fps: float | None,
    ) -> None:
        self.progress = Progress()
        self._pipeline = pipeline
        self._ring = ring
        self._timeline = timeline
        self._sampler = Sampler(detect_fps) if every_frame and detect_fps else None
        self._policy: FramePolicy | EveryFrame = (
            EveryFrame(ring)
            if every_frame
            else FramePolicy(ring, MotionGate(), detect_fps or DETECT_FPS, hold=lambda: pipeline.wants_frames)
        )
        self._times = _FrameTimes()

    def results(self, items: Iterator[Item]) -> Iterator[Analysed | None]:
        """Results in order of time; None after each item of the source, so that the caller can look about and stop."""
        for item in items:
            if isinstance(item, StreamInfo):
                self._ring.begin_session(item)
            elif item is not None:
                self._take(item)
                yield from self._step()
            yield None
        yield from self._analyse(self._policy.drain())
        if not self.progress.decoded:
            raise InvalidInputError(
                say(
                    zh="没有一帧画面能够解码，无法分析",
                    en="not one picture could be decoded; there is nothing to analyse",
                )
            )

    def finish(self) -> list[Event]:
        """The ends of the events that still go on."""
        return self._pipeline.finish()

    def seconds(self, t_ns: int) -> float:
        """Seconds since the first picture."""
        return (t_ns - self._times.first_ns) / NS_PER_S

    def _take(self, encoded: Encoded) -> None:
        t_ns = self._timeline.stamp_ns(encoded.pts_90k, encoded.age_s)
        stamp = Stamp(CAMERA_ID, self.progress.packets, t_ns)
        self._ring.append(Packet(stamp, encoded.pts_90k, encoded.is_key, encoded.raw))
        self._times.add(t_ns)
        self.progress.packets += 1
        self.progress.size_bytes += len(encoded.raw)
        self.progress.t_s = self.seconds(t_ns)

    def _step(self) -> Iterator[Analysed]:
        while self._policy.waiting:
            yield from self._analyse(self._policy.step())

    def _analyse(self, decoded: list[Decoded]) -> Iterator[Analysed]:
        self.progress.decoded = self._policy.decoded
        for frame, mode in decoded:
            t_ns = frame.stamp.t_ns
            if self._sampler is not None and not self._sampler.takes(t_ns):
                continue
            result = self._pipeline.process(frame, mode)
            self.progress.detected += mode is not Mode.WATCH
            yield Analysed(self._times.index(t_ns), self.seconds(t_ns), result)


class _FrameTimes:
    """Which picture of the source, in order of display, a time belongs to."""

    def __init__(self) -> None:
        self._sorted: list[int] = []
        self._dropped = 0
        self.first_ns = 0

    def add(self, t_ns: int) -> None:
        insort(self._sorted, t_ns)
        if not self._dropped:
            self.first_ns = self._sorted[0]
        if len(self._sorted) > INDEX_PACKETS:
            surplus = len(self._sorted) // 2
            del self._sorted[:surplus]
            self._dropped += surplus

    def index(self, t_ns: int) -> int:
        return self._dropped + bisect_left(self._sorted, t_ns)
