"""Time stamps for a file from a camera's: rebased to 0, strictly rising decode times, no jumps.

Cameras send presentation times only. Decode times come from them: with a reorder depth of d, the decode time of
packet i is the (i - d)th smallest presentation time. Pure arithmetic in 1/90000 s; never raises.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

TICKS_PER_S = 90_000
MAX_REORDER = 16
"""The deepest that H.264 and H.265 allow."""

TRUSTED_STEP_90K = TICKS_PER_S
"""A step up to this long is taken as the camera says; a longer one only where the host's clock agrees."""

MAX_STEP_90K = 10 * TICKS_PER_S
"""A pause that the camera does not explain appears at most this long in the file."""


def reorder_depth(pts_90k: Sequence[int]) -> int:
    """How many packets at most stand before one that is shown earlier."""
    return min(
        MAX_REORDER,
        max((sum(1 for before in pts_90k[:place] if before > pts) for place, pts in enumerate(pts_90k)), default=0),
    )


class SteadyTimes:
    """Presentation times as the camera says; a long step that the host's clock contradicts is the clock's instead."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._shift = 0

    def next_90k(self, pts_90k: int, t_ns: int) -> int:
        """The time of the next packet in decode order; the first is 0."""
        if self._last is None:
            self._shift = -pts_90k
        else:
            step = pts_90k - self._last[0]
            by_host = (t_ns - self._last[1]) * TICKS_PER_S // 1_000_000_000
            if abs(step) > TRUSTED_STEP_90K and abs(step - by_host) > TRUSTED_STEP_90K:
                self._shift += min(max(1, by_host), MAX_STEP_90K) - step
        self._last = (pts_90k, t_ns)
        return pts_90k + self._shift


@dataclass(frozen=True, slots=True)
class Times:
    """Of one packet; dts_90k <= pts_90k, and dts_90k rises from packet to packet."""

    pts_90k: int
    dts_90k: int
    step_90k: int


class DecodeTimes:
    """Decode times for packets in decode order, whose presentation times are reordered at most `depth` deep."""

    def __init__(self, depth: int, step_90k: int) -> None:
        self._depth = depth
        self._step = step_90k
        self._heap: list[int] = []
        self._count = 0
        self._last_dts: int | None = None

    def next(self, pts_90k: int) -> Times:
        """The times of the next packet. Where the reordering is deeper than told, its presentation time moves."""
        heapq.heappush(self._heap, pts_90k)
        is_leading = self._count < self._depth
        dts = (self._count - self._depth) * self._step if is_leading else heapq.heappop(self._heap)
        self._count += 1
        if self._last_dts is not None:
            dts = max(dts, self._last_dts + 1)
            self._step = dts - self._last_dts
        self._last_dts = dts
        return Times(max(pts_90k, dts), dts, self._step)
