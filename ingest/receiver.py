"""The receiver of one stream: keeps a session open, stamps its packets and fills the ring.

`run` is a task of the loop and ends only when cancelled (within STOP_WAIT_S); packets go from the session's thread
straight to the ring. A camera that fails costs one session at a time and a jittered, growing pause in between.
"""

import asyncio
import contextlib
from collections.abc import Callable

from prometheus_client import Gauge

from ingest.camera_errors import CameraError, Problem, ProblemCode
from ingest.condition import Condition, ConditionKeeper
from ingest.packet import Packet, Stamp, StreamInfo
from ingest.ring import PacketRing
from ingest.session import Session
from ingest.wall_time import WallTime
from runtime import metrics
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.log import get_logger

STEADY_AFTER_S = 30.0
"""A session that lasted this long makes earlier failures forgotten; a shorter one counts as a failure."""

UNSTABLE_AFTER = 3
"""So many short sessions in a row, and the camera is called unstable instead of going off and on."""

STOP_WAIT_S = 1.0

_log = get_logger(__name__)


class CameraReceiver:
    """Main and sub-stream of a camera have one each; `stream` ("main", "sub") names it in metrics.

    `on_condition` is called on the loop, on changes only.
    """

    def __init__(
        self,
        camera_id: str,
        open_session: Callable[[], Session],
        ring: PacketRing,
        *,
        clock: Clock,
        on_condition: Callable[[Condition], None],
        stream: str = "main",
        backoff: Backoff | None = None,
    ) -> None:
        self._camera_id = camera_id
        self._stream = stream
        self._open_session = open_session
        self._ring = ring
        self._clock = clock
        self._keeper = ConditionKeeper(clock, on_condition)
        self._backoff = backoff or Backoff()
        self._wall_time = WallTime(clock)
        self._short_sessions = 0

    @property
    def condition(self) -> Condition | None:
        """How the stream is; None until the first session has come to anything."""
        return self._keeper.now

    def note_decoding(self, problem: Problem | None) -> None:
        """Tell what decoding the packets met; None when it goes well again. On the loop."""
        self._keeper.decoding(problem)

    def note_analysis(self, problem: Problem | None) -> None:
        """Tell that analysing the frames fails; None when it goes well again. On the loop."""
        self._keeper.analysis(problem)

    async def run(self) -> None:
        """Session after session until cancelled."""
        while True:
            problem = await self._run_once()
            metrics.session_failures.labels(self._camera_id, problem.code.value).inc()
            delay_s = self._backoff.next_s()
            _log.warning("session ended", camera=self._camera_id, code=problem.code.value, retry_in_s=round(delay_s, 2))
            await self._clock.sleep(delay_s)

    async def _run_once(self) -> Problem:
        """One session, from its start to its end; why it ended."""
        held = metrics.ring_bytes.labels(self._camera_id, self._stream)
        intake = _Intake(self._camera_id, self._ring, self._wall_time, held)
        session = self._open_session()
        session.start(intake)
        watcher = asyncio.create_task(self._watch_opening(intake), name=f"opening-{self._camera_id}")
        try:
            error = await asyncio.shield(intake.ended_with)
        finally:
            watcher.cancel()
            session.stop()
            await intake.close()
        problem = error.problem if error else Problem(ProblemCode.CLOSED_BY_CAMERA)
        self._note_end(problem, was_open=intake.is_open.is_set())
        return problem

    async def _watch_opening(self, intake: "_Intake") -> None:
        """Say that video comes in; and, when it has done so for long enough, that all is well."""
        await intake.is_open.wait()
        if self._short_sessions < UNSTABLE_AFTER:
            self._keeper.sending()
        await self._clock.sleep(STEADY_AFTER_S)
        self._short_sessions = 0
        self._backoff.reset()
        self._keeper.sending()

    def _note_end(self, problem: Problem, *, was_open: bool) -> None:
        self._short_sessions = self._short_sessions + 1 if was_open else 0
        if self._short_sessions >= UNSTABLE_AFTER:
            self._keeper.sending(Problem(ProblemCode.UNSTABLE, problem.code.value))
        else:
            self._keeper.silent(problem)


class _Intake:
    """What a session tells, taken in on the session's thread; the loop hears of the beginning and the end."""

    def __init__(self, camera_id: str, ring: PacketRing, wall_time: WallTime, held: Gauge) -> None:
        self._loop = asyncio.get_running_loop()
        self.is_open = asyncio.Event()
        self.ended_with: asyncio.Future[CameraError | None] = self._loop.create_future()
        self._camera_id = camera_id
        self._ring = ring
        self._wall_time = wall_time
        self._is_closed = False
        self._seq = 0
        self._packets = metrics.packets_received.labels(camera_id)
        self._bytes = metrics.bytes_received.labels(camera_id)
        self._held = held

    def opened(self, info: StreamInfo) -> None:
        if self._is_closed:
            return
        if self._seq == 0:
            self._wall_time.begin_session()
        self._ring.begin_session(info)
        _log.info("stream", camera=self._camera_id, codec=info.codec.name, size=f"{info.width_px}x{info.height_px}")

    def packet(self, pts_90k: int, is_key: bool, raw: bytes, age_s: float = 0.0) -> None:
        if self._is_closed:
            return
        stamp = Stamp(self._camera_id, self._seq, self._wall_time.stamp_ns(pts_90k, age_s))
        self._ring.append(Packet(stamp, pts_90k, is_key, raw))
        if self._seq == 0:
            self._on_loop(self.is_open.set)
        self._seq += 1
        self._packets.inc()
        self._bytes.inc(len(raw))
        if is_key:
            self._held.set(self._ring.size_bytes)

    def ended(self, error: CameraError | None) -> None:
        self._on_loop(lambda: None if self.ended_with.done() else self.ended_with.set_result(error))

    async def close(self) -> None:
        """Take nothing more; wait a little for the session's end."""
        self._is_closed = True
        await asyncio.wait({self.ended_with}, timeout=STOP_WAIT_S)

    def _on_loop(self, call: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(call)
