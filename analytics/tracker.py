"""The tracker of one camera: detections of successive frames in, tracks with lasting ids out. Numpy, no appearance.

Runs in whichever thread runs the camera's analysis, one call at a time. Never blocks, raises nothing. Time comes from
the frames' stamps, so any rate will do; a gap ends all tracks, as does time that goes back (a new activation). Bounded
in tracks and detections: the weakest go. docs/design/tracking.md says where the constants come from.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.class_groups import VEHICLES, group_ids
from analytics.events import Tracks
from analytics.track_matching import NOISE_LENGTHS, match_greedily, similarity
from analytics.track_motion import TRACK, Tracked, correct, predict
from models.detections import Detections
from models.nms import iou_matrix

START_SHARE = 0.4
"""A track starts only at a score this far from its class's threshold to certainty: 0.67 for a threshold of 0.45."""

LOST_AFTER_S = 1.5
"""An unseen track may be found again this long; shorter breaks it at every occlusion, longer mixes people up."""

COAST_S = 0.25
"""A track missed for this long is still reported where it must be: one missed frame at 5 fps, with jitter."""

SPEED_CHANGE_LENGTHS_PER_S = 0.8
"""How fast the gate opens: what a walking person can do against the prediction, in body lengths a second."""

FIRST_SPEED_LENGTHS_PER_S = 2.0
"""The same for a track seen once, whose velocity is not known: a running person."""

FIRST_VEHICLE_SPEED_LENGTHS_PER_S = 5.0
"""The same for a vehicle: 80 km/h in lengths of a car."""

DUPLICATE_IOU = 0.5
"""A second box that overlaps a matched one of its group this much is the same object seen twice, not a new one."""

MAX_VOTES = 10.0
"""What a track's class may gather in votes, so that a wrong class is outvoted within ten frames."""

MAX_TRACKS = 256
MAX_DETECTIONS = 256
"""More cannot be told apart in one picture, and time grows with their product (256 x 256: some milliseconds)."""


class Tracker:
    """Tracks of one camera. A camera whose picture changes its aspect gets a new tracker."""

    def __init__(self, class_names: Sequence[str], thresholds: Mapping[str, float], *, aspect: float = 16 / 9) -> None:
        """`class_names` by class id and `thresholds` as the detector has them; `aspect` is width over height."""
        self._continue_score = np.array([thresholds.get(name, np.inf) for name in class_names], np.float32)
        self._start_score = self._continue_score + START_SHARE * (1 - self._continue_score)
        self._start_score[np.isinf(self._continue_score)] = np.inf
        self._group_of = group_ids(class_names)
        self._scale = np.array([aspect, 1.0])
        self._tracks: Tracked = np.zeros(0, TRACK)
        self._next_id = 1
        self._last_t_ns: int | None = None

    def update(self, detections: Detections) -> Tracks:
        """The tracks in this frame: those seen, and those missed so briefly that they coast. Boxes are the filter's."""
        t_ns = detections.stamp.t_ns
        self._forget(t_ns)
        found = self._usable(detections)
        centre, size = self._measure(found)
        group = self._group_of[found.class_id]
        rows, columns = self._match(centre, size, group, t_ns)
        if len(rows):
            correct(self._tracks, rows, centre[columns], size[columns], t_ns)
            self._tracks["score"][rows] = found.score[columns]
            self._vote(rows, found.class_id[columns], found.score[columns])
        self._start(found, centre, size, group, columns)
        return self._report(detections, t_ns)

    def _forget(self, t_ns: int) -> None:
        """Drop what has been lost for too long, and everything when time went back."""
        if self._last_t_ns is not None and t_ns < self._last_t_ns:
            self._tracks = self._tracks[:0]
        self._last_t_ns = t_ns
        kept = t_ns - self._tracks["seen_t_ns"] <= round(LOST_AFTER_S * 1e9)
        if not kept.all():
            self._tracks = self._tracks[kept]

    def _usable(self, detections: Detections) -> Detections:
        """Those that may continue a track, best first, capped."""
        enough = detections.score >= self._continue_score[detections.class_id]
        best = np.argsort(-detections.score[enough], kind="stable")[:MAX_DETECTIONS]
        at = np.flatnonzero(enough)[best]
        return Detections(detections.stamp, detections.xyxy[at], detections.score[at], detections.class_id[at])

    def _measure(self, found: Detections) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres and sizes (N, 2) in picture heights."""
        corners = found.xyxy.astype(np.float64).reshape(-1, 2, 2) * self._scale
        return corners.mean(axis=1), corners[:, 1] - corners[:, 0]

    def _match(
        self, centre: NDArray[np.float64], size: NDArray[np.float64], group: NDArray[np.int32], t_ns: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of tracks and columns of detections that belong together."""
        tracks = self._tracks
        unseen_s = (t_ns - tracks["seen_t_ns"]) / 1e9
        first_speed = np.where(
            tracks["group_id"] == VEHICLES, FIRST_VEHICLE_SPEED_LENGTHS_PER_S, FIRST_SPEED_LENGTHS_PER_S
        )
        speed = np.where(tracks["sightings"] == 1, first_speed, SPEED_CHANGE_LENGTHS_PER_S)
        apart = predict(tracks, unseen_s)[:, None, :] - centre[None, :, :]
        fit = similarity(
            np.hypot(apart[..., 0], apart[..., 1]),
            (tracks["size"].max(axis=1), size.max(axis=1)),
            (tracks["size"][:, 1], size[:, 1]),
            NOISE_LENGTHS + speed * unseen_s,
        )
        fit[tracks["group_id"][:, None] != group[None, :]] = 0.0
        return match_greedily(fit)

    def _vote(self, rows: NDArray[np.intp], class_id: NDArray[np.int32], score: NDArray[np.float32]) -> None:
        """A track's class is its weighted majority: another class takes votes away until it has outvoted the first."""
        tracks = self._tracks
        votes = tracks["class_votes"][rows] + np.where(class_id == tracks["class_id"][rows], score, -score)
        tracks["class_id"][rows] = np.where(votes < 0, class_id, tracks["class_id"][rows])
        tracks["class_votes"][rows] = np.minimum(np.abs(votes), MAX_VOTES)

    def _start(
        self,
        found: Detections,
        centre: NDArray[np.float64],
        size: NDArray[np.float64],
        group: NDArray[np.int32],
        matched: NDArray[np.intp],
    ) -> None:
        """Begin a track at each strong detection that no track took and that is no double of a better one."""
        claimed = found.score >= self._start_score[found.class_id]
        claimed[matched] = True
        new = claimed.copy()
        new[matched] = False
        fresh = np.flatnonzero(new)
        if len(fresh):
            double = iou_matrix(found.xyxy[fresh], found.xyxy) > DUPLICATE_IOU
            double &= claimed & (group[fresh, None] == group)
            double &= ~new | (np.arange(len(new)) < fresh[:, None])
            fresh = fresh[~double.any(axis=1)]
        if not len(fresh):
            return
        begun = np.zeros(len(fresh), TRACK)
        begun["track_id"] = np.arange(self._next_id, self._next_id + len(fresh))
        begun["first_t_ns"] = begun["seen_t_ns"] = found.stamp.t_ns
        begun["sightings"] = 1
        begun["class_id"], begun["group_id"] = found.class_id[fresh], group[fresh]
        begun["class_votes"] = begun["score"] = found.score[fresh]
        begun["centre"], begun["size"] = centre[fresh], size[fresh]
        self._next_id += len(fresh)
        self._tracks = np.concatenate([self._tracks, begun])
        if len(self._tracks) > MAX_TRACKS:
            latest = np.argsort(-self._tracks["seen_t_ns"], kind="stable")[:MAX_TRACKS]
            self._tracks = self._tracks[np.sort(latest)]

    def _report(self, detections: Detections, t_ns: int) -> Tracks:
        """The tracks seen now and those coasting inside the picture."""
        unseen_s = (t_ns - self._tracks["seen_t_ns"]) / 1e9
        ahead = predict(self._tracks, unseen_s)
        inside = ((ahead > 0) & (ahead < self._scale)).all(axis=1)
        shown = (unseen_s == 0) | ((unseen_s <= COAST_S) & (self._tracks["sightings"] > 1) & inside)
        tracks, centre = self._tracks[shown], ahead[shown]
        half = tracks["size"] / 2
        xyxy = np.hstack([(centre - half) / self._scale, (centre + half) / self._scale])
        boxes = Detections(
            detections.stamp,
            np.clip(xyxy, 0.0, 1.0).astype(np.float32),
            tracks["score"].copy(),
            tracks["class_id"].copy(),
        )
        return Tracks(boxes, tracks["track_id"].copy(), tracks["first_t_ns"].copy())
