"""Which frames of a stream are taken: in go their times, out comes whether each is due. Pure, for one thread."""

from runtime.clock import NS_PER_S


class Sampler:
    """Picks frames at a rate by their time stamps, evenly, from whatever rate they come at."""

    def __init__(self, rate_fps: float) -> None:
        self._period_ns = round(NS_PER_S / rate_fps)
        self._due_ns = 0

    def restart(self, last_ns: int) -> None:
        """The frame of `last_ns` was the last one taken."""
        self._due_ns = last_ns + self._period_ns

    def takes(self, t_ns: int) -> bool:
        """Whether the frame of `t_ns` is due; a tenth of the period early is on time."""
        if t_ns < self._due_ns - self._period_ns // 10:
            return False
        self._due_ns = max(self._due_ns + self._period_ns, t_ns + self._period_ns // 2)
        return True
