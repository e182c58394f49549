"""Watching without decoding: sizes of the packets between key frames tell that something began to move.

In: packet sizes of a quiet camera, in stream order. Out: whether a window of them is unusual for this camera. Under
constant bit rate their spread changes, under variable bit rate their mean as well. Pure arithmetic, one thread.
"""

import math

WINDOW_PACKETS = 12
"""About half a second: long enough for a steady figure, short enough to notice a person soon."""

SETTLE_WINDOWS = 8
"""Windows (some 4 s) that are only learned from."""

MEMORY_WINDOWS = 60.0
"""How many windows (some 30 s) the idea of what is usual goes back over."""

USUAL_DEVIATIONS = 5.0
LEAST_CHANGE = 0.35
"""In natural logarithm, 42 %: a smaller change is never unusual, however steady the camera was."""

WARY_FACTOR = 1.5
MOST_WARY = 4.0
CALM_PER_WINDOW = 0.98
"""A false alarm raises the bar by WARY_FACTOR; it sinks back over some minutes."""


class _Usual:
    """Running mean and mean absolute deviation of one figure."""

    def __init__(self) -> None:
        self.mean = 0.0
        self.deviation = 0.0
        self._count = 0

    def excess(self, figure: float) -> float:
        """How far outside the usual: at most 1 is usual."""
        return abs(figure - self.mean) / max(LEAST_CHANGE, USUAL_DEVIATIONS * self.deviation)

    def learn(self, figure: float) -> None:
        self._count += 1
        weight = max(1.0 / self._count, 1.0 / MEMORY_WINDOWS)
        if self._count > 1:
            self.deviation += (abs(figure - self.mean) - self.deviation) * weight
        self.mean += (figure - self.mean) * weight


class PacketSpread:
    """Feed it every packet while watching; `reset_window` after a gap."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._mean = _Usual()
        self._spread = _Usual()
        self._windows = 0
        self._wariness = 1.0

    def stirs(self, *, is_key: bool, size_bytes: int) -> bool:
        """Take one packet; True when the window it completes is unusual."""
        if is_key:
            self._sizes.clear()
            return False
        self._sizes.append(size_bytes)
        if len(self._sizes) < WINDOW_PACKETS:
            return False
        mean, spread = _figures(self._sizes)
        self._sizes.clear()
        is_unusual = self._windows >= SETTLE_WINDOWS and (
            max(self._mean.excess(mean), self._spread.excess(spread)) > self._wariness
        )
        self._windows += 1
        self._wariness = max(1.0, self._wariness * CALM_PER_WINDOW)
        self._mean.learn(mean)
        self._spread.learn(spread)
        return is_unusual

    def reset_window(self) -> None:
        """Packets were left out: what comes next is not beside what came before."""
        self._sizes.clear()

    def note_false_alarm(self) -> None:
        """The last alarm was none: be slower to believe."""
        self._wariness = min(MOST_WARY, self._wariness * WARY_FACTOR)


def _figures(sizes: list[int]) -> tuple[float, float]:
    """Logarithms of mean and standard deviation; the 1 keeps constant sizes finite."""
    mean = math.fsum(sizes) / len(sizes)
    variance = math.fsum((size - mean) ** 2 for size in sizes) / len(sizes)
    return math.log(1.0 + mean), math.log(1.0 + math.sqrt(variance))
