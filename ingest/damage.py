"""What damage in a bitstream asks for: skip to the next key frame, and tell when it lasts. One thread; no I/O."""

from ingest.camera_errors import Problem, ProblemCode
from runtime.clock import NS_PER_S

LASTING_NS = 5 * NS_PER_S
LASTING_ERRORS = 3
"""Some lost packets now and then are normal; nothing good for this long, with this many errors, is not."""


class Damage:
    """Counts what could not be decoded."""

    def __init__(self) -> None:
        self.total = 0
        self.waits_for_key = False
        self._since_good = 0
        self._first_bad_ns = 0
        self._last_bad_ns = 0

    @property
    def problem(self) -> Problem | None:
        """Set while damage lasts."""
        lasts = self._last_bad_ns - self._first_bad_ns >= LASTING_NS and self._since_good >= LASTING_ERRORS
        return Problem(ProblemCode.GARBAGE) if lasts else None

    def note(self, t_ns: int, *, is_good: bool) -> None:
        """A packet was decoded, well or not; after a bad one only a key frame helps."""
        self.waits_for_key = not is_good
        if is_good:
            self._since_good = self._first_bad_ns = self._last_bad_ns = 0
            return
        self.total += 1
        self._since_good += 1
        self._first_bad_ns = self._first_bad_ns or t_ns
        self._last_bad_ns = t_ns

    def await_key(self) -> None:
        """Packets were left out: what comes next needs a key frame."""
        self.waits_for_key = True

    def forget_key(self) -> None:
        """Nothing is being decoded."""
        self.waits_for_key = False
