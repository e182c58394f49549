"""Tracks' unbroken times in one zone. In go sightings, out come rows whose stay goes on or is over.

A stay begins at the first admitted sighting inside, by entering or by appearing there, and is over when its track has
not been seen inside for the gap. A standing object that is lost (parked, flickering, or nobody watched) keeps its
place: a track that appears there takes the stay up. Bounded by the track slots and `MAX_PLACES`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.track_slots import STANDING_HEIGHTS, Rows, Sightings, TrackSlots
from analytics.zones import ZoneMask
from runtime.clock import NS_PER_S

MAX_PLACES = 32
"""Standing objects remembered in one zone after their tracks were lost; the oldest gives way."""

STOOD_NS = 2 * NS_PER_S
"""Only what stood still this long keeps its place: someone who walks through a door is not standing there."""

PLACE_FORGET_NS = 20 * NS_PER_S
"""Time of watching an empty place after which what stood there has left."""

MAX_STEP_NS = NS_PER_S
"""Frames further apart than this say nothing about the time between them."""

NO_STAY = -1


@dataclass(slots=True)
class _Place:
    """Where a standing object was lost. Its position and size, nothing about what it looked like."""

    x: float
    y: float
    height: float
    start_ns: int
    told: bool
    watched_empty_ns: int = 0

    def matches(self, x: float, y: float, height: float) -> bool:
        reach = STANDING_HEIGHTS * self.height
        near = abs(x - self.x) <= reach and abs(y - self.y) <= reach
        return near and 0.7 * self.height <= height <= 1.4 * self.height


class Stays:
    """The stays in one zone. `start_ns` is NO_STAY where there is none; `told` is for the rule to keep."""

    def __init__(self, zone: ZoneMask, slots: TrackSlots, gap_s: float) -> None:
        self._zone = zone
        self._slots = slots
        self._gap_ns = round(gap_s * NS_PER_S)
        self._places: list[_Place] = []
        self._last_ns = 0
        self.start_ns = np.full(slots.capacity, NO_STAY, np.int64)
        self.inside_ns = np.zeros(slots.capacity, np.int64)
        self.told = np.zeros(slots.capacity, np.bool_)

    def see(self, seen: Sightings, admitted: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Begin and prolong stays; the places in `seen` of admitted tracks whose stay goes on."""
        inside = np.flatnonzero(self._zone.contains(seen.feet))
        begins = inside[(self.start_ns[seen.rows[inside]] == NO_STAY) & admitted[inside]]
        for at in begins.tolist():
            self._begin(seen, at)
        self._age_places(seen.t_ns)
        self.inside_ns[seen.rows[inside]] = seen.t_ns
        return inside[admitted[inside]]

    def over(self, now_ns: int) -> Rows:
        """Rows whose track has not been seen inside for the gap."""
        rows: Rows = np.flatnonzero((self.start_ns != NO_STAY) & (now_ns - self.inside_ns > self._gap_ns))
        return rows

    def end(self, rows: Rows) -> None:
        """End the stays of these rows, remembering the places of standing objects that were lost inside."""
        for row in rows[self.start_ns[rows] != NO_STAY].tolist():
            lost_inside = self._slots.seen_ns[row] == self.inside_ns[row]
            if lost_inside and self.inside_ns[row] - self._slots.standing_since_ns[row] >= STOOD_NS:
                self._remember(row)
        self.start_ns[rows] = NO_STAY

    def _begin(self, seen: Sightings, at: int) -> None:
        row = seen.rows[at]
        x, y = seen.feet[at].tolist()
        place = next((place for place in self._places if place.matches(x, y, float(self._slots.height[row]))), None)
        if place is None:
            self.start_ns[row], self.told[row] = seen.onset_ns[at], False
        else:
            self._places.remove(place)
            self.start_ns[row], self.told[row] = place.start_ns, place.told

    def _remember(self, row: int) -> None:
        x, y = self._slots.foot[row].tolist()
        height = float(self._slots.height[row])
        self._places.append(_Place(x, y, height, int(self.start_ns[row]), bool(self.told[row])))
        del self._places[:-MAX_PLACES]

    def _age_places(self, t_ns: int) -> None:
        step_ns = min(max(0, t_ns - self._last_ns), MAX_STEP_NS)
        self._last_ns = t_ns
        for place in self._places:
            place.watched_empty_ns += step_ns
        self._places = [place for place in self._places if place.watched_empty_ns < PLACE_FORGET_NS]
