"""Inference threads for all cameras of a worker, one a core: detect, track, rules, then `on_result` in the same thread.

A mailbox a camera: the latest live frame wins and the loss is counted; looked-back frames wait in order, because
nobody decodes further while they do (`is_occupied`). Cameras take turns; one camera's frames never run at once. A
pipeline that raises costs its camera that frame and a rest, and `on_problem` hears of it.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from analytics.camera_pipeline import CameraPipeline, FrameResult, nothing_detected, nothing_tracked
from analytics.events import Event
from ingest.camera_errors import Problem, ProblemCode
from ingest.decode_policy import Mode
from ingest.packet import Frame, Stamp
from runtime import metrics
from runtime.clock import NS_PER_S, Clock
from runtime.log import get_logger

REST_S = 5.0
"""A camera whose analysis failed is left alone this long: a fault that comes back costs little, and a line of log."""

STOP_S = 2.0

_log = get_logger(__name__)

Work = tuple[Frame | Stamp | None, Mode]
"""A frame to analyse, a stamp that only lets time pass, or None: the camera's end."""

OnResult = Callable[[Frame | None, FrameResult], None]
OnProblem = Callable[[Problem | None], None]


@dataclass(slots=True)
class _Mailbox:
    camera_id: str
    pipeline: CameraPipeline
    on_result: OnResult
    on_problem: OnProblem
    pending: deque[Work] = field(default_factory=deque)
    is_queued: bool = False
    is_closed: bool = False
    rests_until_s: float = 0.0
    fault: str = ""


class InferencePool:
    """See the module. `offer` and `let_pass` may be called from any thread and never block."""

    def __init__(self, threads: int, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._mailboxes: dict[str, _Mailbox] = {}
        self._turns: deque[_Mailbox] = deque()
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"inference-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads after the frame each is at; what waits is dropped, but the ends of removed cameras."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(STOP_S)

    def add(self, camera_id: str, pipeline: CameraPipeline, on_result: OnResult, on_problem: OnProblem) -> None:
        """Take frames of a camera from now on. Both are called in an inference thread and must return soon.

        `on_problem` hears when analysis begins to fail, and None after the next frame that the detector looked at.
        """
        with self._changed:
            self._mailboxes[camera_id] = _Mailbox(camera_id, pipeline, on_result, on_problem)

    def remove(self, camera_id: str) -> None:
        """Forget the camera and the frames that wait; an inference thread then ends the events that go on."""
        with self._changed:
            mailbox = self._mailboxes.pop(camera_id, None)
            if mailbox is not None:
                mailbox.is_closed = True
                mailbox.pending.clear()
                self._leave(mailbox, (None, Mode.WATCH))

    def is_occupied(self, camera_id: str) -> bool:
        """Whether frames of the camera still wait, or it rests."""
        mailbox = self._mailboxes.get(camera_id)
        return mailbox is not None and (bool(mailbox.pending) or self._rests(mailbox))

    def offer(self, camera_id: str, frame: Frame, mode: Mode) -> None:
        """Leave a frame; a live one replaces the live one that still waits. A camera that rests loses it."""
        with self._changed:
            mailbox = self._mailboxes.get(camera_id)
            if mailbox is None:
                return
            if self._rests(mailbox):
                metrics.frames_dropped.labels(camera_id).inc()
                return
            if mode is Mode.ACTIVE and mailbox.pending and mailbox.pending[-1][1] is Mode.ACTIVE:
                mailbox.pending.pop()
                metrics.frames_dropped.labels(camera_id).inc()
            self._leave(mailbox, (frame, mode))

    def let_pass(self, stamp: Stamp) -> None:
        """No frame came up to `stamp.t_ns`: lets events end by time."""
        with self._changed:
            mailbox = self._mailboxes.get(stamp.camera_id)
            if mailbox is not None and not mailbox.pending:
                self._leave(mailbox, (stamp, Mode.WATCH))

    def _leave(self, mailbox: _Mailbox, work: Work) -> None:
        mailbox.pending.append(work)
        self._queue(mailbox)

    def _queue(self, mailbox: _Mailbox) -> None:
        if not mailbox.is_queued:
            mailbox.is_queued = True
            self._turns.append(mailbox)
            self._changed.notify()

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            mailbox, (what, mode) = taken
            try:
                self._analyse(mailbox, what, mode)
            except Exception as error:  # noqa: BLE001 - supervision: one camera's fault costs that camera alone
                self._fail(mailbox, error)
            with self._changed:
                mailbox.is_queued = False
                if mailbox.pending:
                    self._queue(mailbox)

    def _rests(self, mailbox: _Mailbox) -> bool:
        return self._clock.monotonic_s() < mailbox.rests_until_s

    def _fail(self, mailbox: _Mailbox, error: Exception) -> None:
        """Let the camera rest. One traceback when a fault begins, then a line for each time that it comes back."""
        name = type(error).__name__
        is_new, mailbox.fault = mailbox.fault != name, name
        _log.error(
            "analysis failed, the camera rests",
            camera=mailbox.camera_id,
            error=name,
            rests_s=REST_S,
            exc_info=error if is_new else None,
        )
        with self._changed:
            if mailbox.is_closed:
                return
            metrics.frames_dropped.labels(mailbox.camera_id).inc(len(mailbox.pending))
            mailbox.pending.clear()
            mailbox.rests_until_s = self._clock.monotonic_s() + REST_S
        if is_new:
            mailbox.on_problem(Problem(ProblemCode.ANALYSIS_FAILED, name))

    def _note_good(self, mailbox: _Mailbox) -> None:
        if mailbox.fault:
            mailbox.fault = ""
            mailbox.on_problem(None)

    def _take(self) -> tuple[_Mailbox, Work] | None:
        with self._changed:
            while True:
                while self._turns:
                    mailbox = self._turns.popleft()
                    if mailbox.pending and (mailbox.is_closed or not self._is_stopping):
                        return mailbox, mailbox.pending.popleft()
                    mailbox.is_queued = False
                if self._is_stopping:
                    return None
                self._changed.wait()

    def _analyse(self, mailbox: _Mailbox, what: Frame | Stamp | None, mode: Mode) -> None:
        frame = what if isinstance(what, Frame) else None
        if what is None:
            result = _ending(mailbox.camera_id, mailbox.pipeline.finish())
        elif isinstance(what, Stamp):
            result = mailbox.pipeline.pass_time(what)
        else:
            result = mailbox.pipeline.process(what, mode)
        if mailbox.is_closed:  # whoever removed it hears of no new event, and of the end of each that went on
            ends = [event for event in result.events if event.end_ns is not None]
            mailbox.on_result(None, _ending(mailbox.camera_id, ends))
            return
        mailbox.on_result(frame, result)
        if frame is not None and result.is_detected:
            self._note_good(mailbox)
            metrics.frames_detected.labels(mailbox.camera_id).inc()
            if mode is Mode.ACTIVE:  # frames looked back at are old by design
                metrics.detect_latency.observe(max(0, self._clock.now_ns() - frame.stamp.t_ns) / NS_PER_S)


def _ending(camera_id: str, ends: list[Event]) -> FrameResult:
    """The ends of events, beside no picture."""
    stamp = Stamp(camera_id, 0, 0)
    return FrameResult(nothing_detected(stamp), nothing_tracked(stamp), ends, is_detected=False)
