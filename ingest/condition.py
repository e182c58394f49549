"""How one stream is: online, offline or degraded, why, since when. Tells a callback of changes only.

One thread (the loop's). Several things are known at once; the worst that is known is what people hear.
"""

from collections.abc import Callable
from dataclasses import dataclass

from alerts.contract import DeviceCondition, Text
from ingest.camera_errors import Problem
from runtime.clock import Clock

_ONLINE_REASON = Text(zh="视频正常", en="Video is coming in")
ONLINE_CODE = "online"


@dataclass(frozen=True, slots=True)
class Condition:
    """`code` is stable for programs ("online" or a `ProblemCode`), `reason` is for people."""

    condition: DeviceCondition
    code: str
    reason: Text
    since_ns: int


class ConditionKeeper:
    """Holds the present condition; None until something is known."""

    def __init__(self, clock: Clock, tell: Callable[[Condition], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._is_sending = False
        self._session: Problem | None = None
        self._decoding: Problem | None = None
        self._analysis: Problem | None = None
        self.now: Condition | None = None

    def sending(self, problem: Problem | None = None) -> None:
        """Video comes in; `problem` tells what is wrong with it all the same."""
        self._is_sending, self._session = True, problem
        self._refresh()

    def silent(self, problem: Problem) -> None:
        """No video, and why."""
        self._is_sending, self._session = False, problem
        self._refresh()

    def decoding(self, problem: Problem | None) -> None:
        """What the decoder has to say about the packets that come in; it stands until the decoder takes it back."""
        self._decoding = problem
        self._refresh()

    def analysis(self, problem: Problem | None) -> None:
        """What became of analysing the frames; it stands until a frame was analysed."""
        self._analysis = problem
        self._refresh()

    def _refresh(self) -> None:
        problem = self._session or ((self._decoding or self._analysis) if self._is_sending else None)
        if not self._is_sending and problem is None:
            return
        if problem is None:
            kind, code, reason = DeviceCondition.ONLINE, ONLINE_CODE, _ONLINE_REASON
        else:
            kind = DeviceCondition.DEGRADED if self._is_sending else DeviceCondition.OFFLINE
            code, reason = problem.code.value, problem.reason
        if self.now is None or (kind, code) != (self.now.condition, self.now.code):
            self.now = Condition(kind, code, reason, self._clock.now_ns())
            self._tell(self.now)
