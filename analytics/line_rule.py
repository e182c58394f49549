"""The rule line_crossed: a track that comes clearly from one side of a line, through it, to the other.

In go sightings, out come events, each at once with its end: a crossing is a moment. Runs in the inference thread.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analytics.events import Event
from analytics.track_slots import Rows, Sightings
from analytics.trigger import Trigger
from analytics.zones import LineSegment
from devices.scene import Direction

CLEAR_HEIGHTS = 0.1
"""A foot point is clearly on a side this far from the line, in heights of its box: boxes jitter with their size."""

MAX_CLEAR = 0.03
"""But never further than this part of the picture, or people near the camera would have to walk very far."""


class LineRule:
    """One line_crossed rule. A step counts where it meets the segment itself, not its prolongation.

    Between two clear sides steps through the segment are counted with their sign, so jitter on the line cancels out
    and someone who walks around its end does not cross it. A crossing in the cooldown or unarmed is left out.
    """

    def __init__(self, trigger: Trigger, line: LineSegment, capacity: int) -> None:
        self._trigger = trigger
        self._line = line
        self._clear_side = np.zeros(capacity, np.int8)
        self._passages = np.zeros(capacity, np.int16)
        self._passed_ns = np.zeros(capacity, np.int64)
        self._admitted = np.zeros(capacity, np.bool_)

    def see(self, seen: Sightings) -> list[Event]:
        """Start and end of each crossing that became clear with this frame."""
        rows = seen.rows
        self.forget(rows[seen.fresh])
        self._admitted[rows] |= self._trigger.admits(seen.detections)
        self._count_passages(seen)
        distance = self._line.side(seen.feet)
        height = seen.detections.xyxy[:, 3] - seen.detections.xyxy[:, 1]
        clear = np.abs(distance) > np.minimum(CLEAR_HEIGHTS * height, MAX_CLEAR)
        side = np.where(distance < 0, np.int8(-1), np.int8(1))
        came_over = (
            self._admitted[rows] & clear & (self._clear_side[rows] == -side) & (np.sign(self._passages[rows]) == side)
        )
        events = [event for at in np.flatnonzero(came_over).tolist() for event in self._tell(seen, at, int(side[at]))]
        self._settle(rows[clear], side[clear])
        return events

    def tick(self, now_ns: int) -> Sequence[Event]:
        """Crossings end when they happen."""
        return ()

    def forget(self, rows: Rows) -> Sequence[Event]:
        """Start anew for these rows."""
        self._clear_side[rows] = 0
        self._passages[rows] = 0
        self._admitted[rows] = False
        return ()

    def wants_frames(self, now_ns: int) -> bool:
        """Whoever crosses a line moves, so motion brings the frames."""
        return False

    def _count_passages(self, seen: Sightings) -> None:
        sign, along = self._line.crossings(seen.before, seen.feet)
        passing = np.flatnonzero(sign)
        rows = seen.rows[passing]
        self._passages[rows] += sign[passing]
        took_ns = along[passing] * (seen.t_ns - seen.before_ns[passing])
        self._passed_ns[rows] = seen.before_ns[passing] + took_ns.astype(np.int64)

    def _settle(self, rows: Rows, side: NDArray[np.int8]) -> None:
        self._clear_side[rows] = side
        self._passages[rows] = 0
        self._admitted[rows] = False

    def _tell(self, seen: Sightings, at: int, side: int) -> list[Event]:
        direction = Direction.A_TO_B if side > 0 else Direction.B_TO_A
        wanted = self._trigger.rule.direction in (Direction.BOTH, direction)
        if not wanted or self._trigger.is_cooling(seen.t_ns) or not self._trigger.is_armed(seen.t_ns):
            return []
        event = self._trigger.fire(seen, at, int(self._passed_ns[seen.rows[at]]), direction=direction)
        return [event, replace(event, end_ns=seen.t_ns)]
