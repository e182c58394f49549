"""Decode threads for all cameras of a worker, one a core: each steps the camera whose turn it is by its decode policy.

In: packets that wait in the rings, looked for every TICK_S. Out: frames to the inference pool. A camera that looks
back waits while its frames do; a live one goes on and loses the older frame. A policy that raises rests, and
`on_problem` hears of it until the next frame is decoded.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from analytics.inference_pool import InferencePool
from ingest.camera_errors import Problem, ProblemCode
from ingest.decode_policy import Decoded, FramePolicy, Mode
from runtime import metrics
from runtime.clock import Clock
from runtime.log import get_logger

TICK_S = 0.04
"""How often the rings are looked into while nothing waits: one packet of a 25 fps stream."""

REST_S = 5.0
"""A camera whose policy failed unexpectedly is left alone this long."""

STOP_S = 2.0

_log = get_logger(__name__)

OnProblem = Callable[[Problem | None], None]


@dataclass(slots=True, eq=False)
class _Turn:
    camera_id: str
    policy: FramePolicy
    on_problem: OnProblem
    is_taken: bool = False
    is_closed: bool = False
    rests_until_s: float = 0.0
    fault: Problem | None = None
    problem: Problem | None = None
    skipped: int = 0


class DecodePool:
    """See the module. `on_problem` is called in a decode thread, on changes only."""

    def __init__(self, threads: int, inference: InferencePool, clock: Clock) -> None:
        self._inference = inference
        self._clock = clock
        self._lock = threading.Lock()
        self._stepped = threading.Condition(self._lock)
        self._turns: deque[_Turn] = deque()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"decode-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads after the step each is at."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_S)

    def add(self, camera_id: str, policy: FramePolicy, on_problem: OnProblem) -> None:
        with self._lock:
            self._turns.append(_Turn(camera_id, policy, on_problem))

    def remove(self, camera_id: str) -> None:
        """Decode no more of the camera. Blocks until the step at hand, if there is one, has ended."""
        with self._stepped:
            for turn in [turn for turn in self._turns if turn.camera_id == camera_id]:
                turn.is_closed = True
                self._turns.remove(turn)
                self._stepped.wait_for(lambda turn=turn: not turn.is_taken, STOP_S)  # type: ignore[misc]

    def _run(self) -> None:
        while not self._stopping.is_set():
            turn = self._next()
            if turn is None:
                self._stopping.wait(TICK_S)
                continue
            try:
                self._step(turn)
            except Exception as error:  # noqa: BLE001 - supervision: one camera's fault costs that camera alone
                self._fail(turn, error)
            with self._stepped:
                turn.is_taken = False
                self._stepped.notify_all()

    def _next(self) -> _Turn | None:
        """The next camera in the round that has work and is not with another thread."""
        with self._lock:
            for _ in range(len(self._turns)):
                turn = self._turns[0]
                self._turns.rotate(-1)
                if not turn.is_taken and self._has_work(turn):
                    turn.is_taken = True
                    return turn
        return None

    def _has_work(self, turn: _Turn) -> bool:
        if not turn.policy.waiting or turn.rests_until_s > self._clock.monotonic_s():
            return False
        return turn.policy.mode is Mode.ACTIVE or not self._inference.is_occupied(turn.camera_id)

    def _fail(self, turn: _Turn, error: Exception) -> None:
        """Let the camera rest. One traceback when a fault begins, then a line for each time that it comes back."""
        fault = Problem(ProblemCode.INTERNAL, type(error).__name__)
        is_new, turn.fault = fault != turn.fault, fault
        _log.error(
            "decoding of a camera failed, it rests",
            camera=turn.camera_id,
            error=fault.detail,
            rests_s=REST_S,
            exc_info=error if is_new else None,
        )
        turn.rests_until_s = self._clock.monotonic_s() + REST_S
        self._tell(turn)

    def _step(self, turn: _Turn) -> None:
        decoded = turn.policy.step()
        self._hand_on(turn, decoded)
        if turn.policy.skipped > turn.skipped:
            metrics.packets_skipped.labels(turn.camera_id).inc(turn.policy.skipped - turn.skipped)
            turn.skipped = turn.policy.skipped
        if decoded:
            turn.fault = None
        self._tell(turn)

    def _hand_on(self, turn: _Turn, decoded: list[Decoded]) -> None:
        for frame, mode in decoded:
            if not turn.is_closed:
                self._inference.offer(turn.camera_id, frame, mode)

    def _tell(self, turn: _Turn) -> None:
        problem = turn.fault or turn.policy.problem
        if not turn.is_closed and (problem and problem.code) != (turn.problem and turn.problem.code):
            turn.problem = problem
            turn.on_problem(problem)
