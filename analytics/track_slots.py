"""Rows for tracks: each track of a camera keeps one row of fixed arrays, so that rules remember by fancy index.

Bounded: a camera has `MAX_TRACKS` rows; when they are all taken, the track unseen for longest gives up its row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.events import Tracks
from analytics.zones import foot_points
from models.detections import Detections
from runtime.clock import NS_PER_S

MAX_TRACKS = 512
"""Far more people than a detector tells apart in one picture; about 20 kB a camera."""

MAX_UNCONFIRMED_NS = 2 * NS_PER_S
"""A track's onset lies at most this long before we first hear of it: the tracker confirms within a few pictures."""

STANDING_HEIGHTS = 0.25
"""A foot point that stays this near, in heights of its box, stands still: boxes of still people jitter by less."""

Rows = NDArray[np.intp]


def first_of(tracks: Tracks, count: int) -> Tracks:
    """The first `count` tracks of a frame."""
    keep = np.arange(len(tracks)) < count
    return Tracks(tracks.detections.where(keep), tracks.track_id[keep], tracks.first_t_ns[keep])


class TrackSlots:
    """Which track has which row, where it was last seen and when, and since when it stands about `anchor`.

    `on_free(rows)` is called before rows are given to others.
    """

    def __init__(self, on_free: Callable[[Rows], None], capacity: int = MAX_TRACKS) -> None:
        self._on_free = on_free
        self._row_of: dict[int, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self.capacity = capacity
        self.track_id = np.full(capacity, -1, np.int64)
        self.foot = np.zeros((capacity, 2), np.float32)
        self.height = np.zeros(capacity, np.float32)
        self.anchor = np.zeros((capacity, 2), np.float32)
        self.standing_since_ns = np.zeros(capacity, np.int64)
        self.seen_ns = np.zeros(capacity, np.int64)

    def __len__(self) -> int:
        return len(self._row_of)

    def rows(self, track_ids: NDArray[np.int64]) -> tuple[Rows, NDArray[np.bool_]]:
        """(N,) row of each of at most `capacity` distinct tracks, and (N,) whether it was given just now."""
        wanted = track_ids.tolist()
        new = [track_id for track_id in wanted if track_id not in self._row_of]
        if len(new) > len(self._free):
            self._make_room(len(new) - len(self._free), set(wanted))
        for track_id in new:
            row = self._free.pop()
            self._row_of[track_id] = row
            self.track_id[row] = track_id
        rows = np.fromiter((self._row_of[track_id] for track_id in wanted), np.intp, len(wanted))
        fresh = np.isin(track_ids, new) if new else np.zeros(len(wanted), np.bool_)
        return rows, fresh

    def see(self, tracks: Tracks) -> "Sightings":
        """The tracks of a frame with their rows; where they stand now is what `before` says next time."""
        if len(tracks) > self.capacity:
            tracks = first_of(tracks, self.capacity)
        t_ns = tracks.detections.stamp.t_ns
        rows, fresh = self.rows(tracks.track_id)
        feet = foot_points(tracks.detections.xyxy)
        seen = Sightings(
            detections=tracks.detections,
            track_id=tracks.track_id,
            rows=rows,
            fresh=fresh,
            feet=feet,
            before=np.where(fresh[:, None], feet, self.foot[rows]),
            before_ns=np.where(fresh, t_ns, self.seen_ns[rows]),
            onset_ns=np.where(fresh, np.minimum(np.maximum(tracks.first_t_ns, t_ns - MAX_UNCONFIRMED_NS), t_ns), t_ns),
        )
        self._follow(seen)
        return seen

    def _follow(self, seen: "Sightings") -> None:
        rows, feet, xyxy = seen.rows, seen.feet, seen.detections.xyxy
        height = xyxy[:, 3] - xyxy[:, 1]
        moved = seen.fresh | (np.abs(feet - self.anchor[rows]).max(axis=1, initial=0) > STANDING_HEIGHTS * height)
        self.anchor[rows[moved]] = feet[moved]
        self.standing_since_ns[rows[moved]] = seen.t_ns
        self.foot[rows] = feet
        self.height[rows] = height
        self.seen_ns[rows] = seen.t_ns

    def free_unseen_since(self, t_ns: int) -> None:
        """Give up the rows of tracks last seen before `t_ns`."""
        stale = (self.track_id >= 0) & (self.seen_ns < t_ns)
        if stale.any():
            self._release(np.flatnonzero(stale))

    def free_all(self) -> None:
        if self._row_of:
            self._release(np.flatnonzero(self.track_id >= 0))

    def _make_room(self, count: int, keep: set[int]) -> None:
        held = [row for track_id, row in self._row_of.items() if track_id not in keep]
        held.sort(key=lambda row: int(self.seen_ns[row]))
        self._release(np.array(held[:count], np.intp))

    def _release(self, rows: Rows) -> None:
        self._on_free(rows)
        for track_id in self.track_id[rows].tolist():
            self._free.append(self._row_of.pop(track_id))
        self.track_id[rows] = -1


@dataclass(frozen=True, slots=True)
class Sightings:
    """The tracks of one frame as rules see them: all arrays (N, ...) over the same rows.

    `before` is each track's foot point at its last sighting, at `before_ns`; a `fresh` one has none, so they are the
    present ones. `onset_ns` is when this sighting began: for a fresh track, when the tracker first saw it.
    """

    detections: Detections
    track_id: NDArray[np.int64]
    rows: Rows
    fresh: NDArray[np.bool_]
    feet: NDArray[np.float32]
    before: NDArray[np.float32]
    before_ns: NDArray[np.int64]
    onset_ns: NDArray[np.int64]

    @property
    def t_ns(self) -> int:
        return self.detections.stamp.t_ns
