"""Watching without decoding: sizes of the packets between key frames tell that something began to move.

In: packet sizes of a quiet camera, in stream order. Out: whether a window of them is unusual for this camera at this
place in the group of pictures. Under variable bit rate a person changes the mean by 10 to 70 %; under constant bit rate
the encoder hides most of it, and noise may hide the rest. Pure arithmetic, one thread.
"""

import math

WINDOW_PACKETS = 12
"""About half a second: long enough for a steady figure, short enough to notice a person soon."""

MAX_PLACES = 16
"""Encoders give packets right after a key frame other sizes than later ones, so each place has its own usual."""

SETTLE_WINDOWS = 6
"""Windows (groups of pictures) of a place that are only learned from."""

MEMORY_WINDOWS = 30.0
"""How many windows of its place (a minute, with a key frame each 2 s) the idea of what is usual goes back over."""

USUAL_DEVIATIONS = 5.0
LEAST_CHANGE = 0.1
"""In natural logarithm, 10 %: a smaller change is never unusual, however steady the camera was."""

WARY_FACTOR = 1.5
MOST_WARY = 4.0
CALM_PER_WINDOW = 0.995
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


class _Place:
    """One window's place in the group of pictures: what its mean and its spread usually are."""

    def __init__(self) -> None:
        self._mean = _Usual()
        self._spread = _Usual()
        self._windows = 0

    def excess(self, mean: float, spread: float) -> float:
        """How unusual a window is; at most 1 is usual. It is learned as well, so what stays becomes usual."""
        is_settled = self._windows >= SETTLE_WINDOWS
        excess = max(self._mean.excess(mean), self._spread.excess(spread)) if is_settled else 0.0
        self._windows += 1
        self._mean.learn(mean)
        self._spread.learn(spread)
        return excess


class PacketSpread:
    """Feed it every packet while watching; `reset_window` after a gap."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._places = [_Place() for _ in range(MAX_PLACES)]
        self._place: int | None = None
        self._wariness = 1.0

    def stirs(self, *, is_key: bool, size_bytes: int) -> bool:
        """Take one packet; True when the window it completes is unusual."""
        if is_key:
            self._sizes.clear()
            self._place = 0
            return False
        if self._place is None:
            return False
        self._sizes.append(size_bytes)
        if len(self._sizes) < WINDOW_PACKETS:
            return False
        excess = self._places[self._place].excess(*_figures(self._sizes))
        self._sizes.clear()
        self._place = min(self._place + 1, MAX_PLACES - 1)
        self._wariness = max(1.0, self._wariness * CALM_PER_WINDOW)
        return excess > self._wariness

    def reset_window(self) -> None:
        """Packets were left out: wait for the next key frame."""
        self._sizes.clear()
        self._place = None

    def note_false_alarm(self) -> None:
        """The last alarm was none: be slower to believe."""
        self._wariness = min(MOST_WARY, self._wariness * WARY_FACTOR)


def _figures(sizes: list[int]) -> tuple[float, float]:
    """Logarithms of mean and standard deviation; the 1 keeps constant sizes finite."""
    mean = math.fsum(sizes) / len(sizes)
    variance = math.fsum((size - mean) ** 2 for size in sizes) / len(sizes)
    return math.log(1.0 + mean), math.log(1.0 + math.sqrt(variance))
