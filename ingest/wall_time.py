"""From stream time to UTC: the host's clock at the first packet plus the stream's own differences, within bounds.

A camera's clock is never believed: whatever its time stamps do, the answer stays near the host's time of arrival
and rises from picture to picture. Pure arithmetic over a `Clock`; one thread; never raises.
"""

from typing import Protocol

from runtime.clock import NS_PER_S, Clock

MAX_AHEAD_NS = NS_PER_S // 4
"""A picture cannot be newer than its arrival. A little is allowed, for the first packet may have been held up."""

MAX_BEHIND_NS = 3 * NS_PER_S
"""A packet may be held up in camera and network for this long before its own time stamp counts for less."""

MAX_STEP_90K = 10 * 90_000
"""A larger step between two packets is a jump or a wrap of the camera's clock, not time that passed."""

MAX_REORDER_90K = 90_000
"""B-frames come up to a second after pictures that are shown later."""

LEAN_PER_MILLE = 1
"""How fast stream time is drawn to the host's: ten times what a bad quartz drifts (100 ppm)."""

SLEW_PER_MILLE = 100
"""A host clock set back is followed by letting time run this much slower, never by going back."""

SMALLEST_STEP_NS = 1_000


class Timeline(Protocol):
    def stamp_ns(self, pts_90k: int, age_s: float = 0.0) -> int:
        """UTC nanoseconds of a picture that arrived `age_s` ago; called once for each packet, in order of arrival."""


class HostTime:
    """The host's UTC that never goes back: steps forward are followed at once, steps back are caught up slowly."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_ns = clock.now_ns()
        self._last_s = clock.monotonic_s()

    def now_ns(self) -> int:
        wall_ns, monotonic_s = self._clock.now_ns(), self._clock.monotonic_s()
        passed_ns = round((monotonic_s - self._last_s) * NS_PER_S)
        slowest_ns = self._last_ns + passed_ns * (1000 - SLEW_PER_MILLE) // 1000
        self._last_ns, self._last_s = max(wall_ns, slowest_ns), monotonic_s
        return self._last_ns


class WallTime:
    """Stamps of one camera over all its sessions.

    Pictures that rise in stream time get strictly rising stamps; each lies in [arrival - MAX_BEHIND_NS,
    arrival + MAX_AHEAD_NS], save that SMALLEST_STEP_NS after the one before always wins.
    """

    def __init__(self, clock: Clock) -> None:
        self._host = HostTime(clock)
        self._anchor: tuple[int, int] | None = None
        self._newest_ns = 0

    def begin_session(self) -> None:
        """The next packet begins a new run: its time is that of its arrival."""
        self._anchor = None

    def stamp_ns(self, pts_90k: int, age_s: float = 0.0) -> int:
        """UTC nanoseconds of the picture with `pts_90k` that arrived `age_s` ago."""
        host_ns = self._host.now_ns() - round(age_s * NS_PER_S)
        if self._anchor is None or not -MAX_REORDER_90K < pts_90k - self._anchor[0] < MAX_STEP_90K:
            return self._advance(pts_90k, host_ns)
        step_90k = pts_90k - self._anchor[0]
        expected_ns = self._anchor[1] + step_90k * NS_PER_S // 90_000
        if step_90k < 0:
            return max(expected_ns, host_ns - MAX_BEHIND_NS)
        lean_ns = step_90k * NS_PER_S // 90_000 * LEAN_PER_MILLE // 1000
        leaning_ns = expected_ns + min(max(host_ns - expected_ns, -lean_ns), lean_ns)
        return self._advance(pts_90k, min(max(leaning_ns, host_ns - MAX_BEHIND_NS), host_ns + MAX_AHEAD_NS))

    def _advance(self, pts_90k: int, t_ns: int) -> int:
        self._newest_ns = max(t_ns, self._newest_ns + SMALLEST_STEP_NS)
        self._anchor = (pts_90k, self._newest_ns)
        return self._newest_ns


class FileTime:
    """Stamps of a recording: its own times after `start_ns`, as they are."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._first_90k: int | None = None

    def stamp_ns(self, pts_90k: int, age_s: float = 0.0) -> int:
        """`start_ns` plus the time since the first packet."""
        if self._first_90k is None:
            self._first_90k = pts_90k
        return self._start_ns + (pts_90k - self._first_90k) * NS_PER_S // 90_000
