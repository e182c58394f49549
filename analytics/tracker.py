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
from analytics.track_matching import match_greedily, similarity
from analytics.track_motion import Floats, advance, correct
from models.detections import Detections
from models.nms import iou_matrix

START_SHARE = 0.4
"""A track starts only at a score this far from its class's threshold to certainty: 0.67 for a threshold of 0.45."""

NOISE_LENGTHS = 0.4
"""How far, in lengths of the object, a detector's box may jump although nothing moved."""

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

UNREPORTED = 2.0
"""A threshold that no score reaches, for classes that have none."""

SMALLEST_SIDE = 1e-4
"""In picture heights, far below a pixel: an empty box must not divide by zero."""

MAX_TRACKS = 256
MAX_DETECTIONS = 256
"""More cannot be told apart in one picture, and time grows with their product (256 x 256: some milliseconds)."""


_RECORD = np.dtype(
    [
        ("track_id", np.int64),
        ("first_t_ns", np.int64),
        ("seen_t_ns", np.int64),
        ("sightings", np.int64),
        ("group_id", np.int32),
        ("class_id", np.int32),
        ("class_votes", np.float64),
        ("score", np.float32),
        ("speed", np.float64),
    ]
)
"""What is kept of a track beside its motion; `speed` is how fast its gate opens, in lengths a second."""


class Tracker:
    """Tracks of one camera. A camera whose picture changes its aspect gets a new tracker."""

    def __init__(self, class_names: Sequence[str], thresholds: Mapping[str, float], *, aspect: float = 16 / 9) -> None:
        """`class_names` by class id and `thresholds` as the detector has them; `aspect` is width over height."""
        self._continue_score = np.array([thresholds.get(name, UNREPORTED) for name in class_names], np.float32)
        self._start_score = self._continue_score + START_SHARE * np.abs(1 - self._continue_score)
        self._group_of = group_ids(class_names)
        self._scale = np.array([aspect, 1.0])
        self._next_id = 1
        self._now_ns = 0
        self._keep(np.zeros(0, _RECORD), np.zeros((0, 4)), np.zeros((0, 2)))

    def update(self, detections: Detections) -> Tracks:
        """The tracks in this frame: those seen, and those missed so briefly that they coast. Boxes are the filter's."""
        self._go_to(detections.stamp.t_ns)
        found = self._usable(detections)
        if len(found):
            measured = self._measure(found)
            rows, columns = self._match(found, measured)
            self._continue(rows, found, measured, columns)
            self._start(found, measured, columns)
        return self._report(detections)

    def _keep(self, records: NDArray[np.void], boxes: Floats, velocity: Floats) -> None:
        self._records, self._boxes, self._velocity = records, boxes, velocity

    def _unseen_s(self) -> Floats:
        unseen: Floats = (self._now_ns - self._records["seen_t_ns"]) * 1e-9
        return unseen

    def _go_to(self, t_ns: int) -> None:
        """Move every track to `t_ns`; drop those lost for too long, and all when time went back."""
        step_s = (t_ns - self._now_ns) * 1e-9
        self._now_ns = t_ns
        kept = (self._unseen_s() <= LOST_AFTER_S) & (step_s >= 0)
        if not kept.all():
            self._keep(self._records[kept], self._boxes[kept], self._velocity[kept])
        advance(self._boxes, self._velocity, step_s)

    def _usable(self, detections: Detections) -> Detections:
        """Those that may continue a track, the best if there are too many."""
        enough = detections.score >= self._continue_score[detections.class_id]
        if np.count_nonzero(enough) > MAX_DETECTIONS:
            weakest_first = np.argsort(np.where(enough, detections.score, -1.0), kind="stable")
            enough[weakest_first[:-MAX_DETECTIONS]] = False
        return detections if enough.all() else detections.where(enough)

    def _measure(self, found: Detections) -> Floats:
        """Centre x, centre y, width, height (N, 4) in picture heights."""
        corners = found.xyxy.reshape(-1, 2, 2) * self._scale
        size = np.maximum(corners[:, 1] - corners[:, 0], SMALLEST_SIDE)
        return np.hstack([(corners[:, 0] + corners[:, 1]) * 0.5, size])

    def _match(self, found: Detections, measured: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows of tracks and columns of detections that belong together; surer detections choose first."""
        gate_lengths = NOISE_LENGTHS + self._records["speed"] * self._unseen_s()
        fit = similarity(self._boxes, measured, gate_lengths)
        fit *= self._records["group_id"][:, None] == self._group_of[found.class_id]
        fit *= found.score
        return match_greedily(fit)

    def _continue(self, rows: NDArray[np.intp], found: Detections, measured: Floats, columns: NDArray[np.intp]) -> None:
        """Take over what was found at `columns` into the tracks at `rows`.

        A track's class is its weighted majority: another class takes votes away until it has outvoted the first.
        """
        boxes, velocity, records = self._boxes[rows], self._velocity[rows], self._records[rows]
        score, class_id = found.score[columns], found.class_id[columns]
        records["sightings"] += 1
        unseen_s = (self._now_ns - records["seen_t_ns"]) * 1e-9
        correct(boxes, velocity, measured[columns], unseen_s, records["sightings"])
        votes = records["class_votes"] + np.where(class_id == records["class_id"], score, -score)
        np.copyto(records["class_id"], class_id, where=votes < 0)
        records["class_votes"] = np.minimum(np.abs(votes), MAX_VOTES)
        records["score"] = score
        records["seen_t_ns"] = self._now_ns
        records["speed"] = SPEED_CHANGE_LENGTHS_PER_S
        self._boxes[rows], self._velocity[rows], self._records[rows] = boxes, velocity, records

    def _start(self, found: Detections, measured: Floats, matched: NDArray[np.intp]) -> None:
        """Begin a track at each strong detection that no track took and that is no double of a better one."""
        is_new = found.score >= self._start_score[found.class_id]
        is_new[matched] = False
        if not is_new.any():
            return
        fresh = self._without_doubles(found, np.flatnonzero(is_new), matched)
        begun = np.zeros(len(fresh), _RECORD)
        begun["track_id"] = np.arange(self._next_id, self._next_id + len(fresh))
        begun["first_t_ns"] = begun["seen_t_ns"] = self._now_ns
        begun["sightings"] = 1
        begun["class_id"] = found.class_id[fresh]
        begun["group_id"] = self._group_of[begun["class_id"]]
        begun["class_votes"] = begun["score"] = found.score[fresh]
        is_vehicle = begun["group_id"] == VEHICLES
        begun["speed"] = np.where(is_vehicle, FIRST_VEHICLE_SPEED_LENGTHS_PER_S, FIRST_SPEED_LENGTHS_PER_S)
        self._next_id += len(fresh)
        records = np.concatenate([self._records, begun])
        # The longest unseen go first where there are too many.
        rows = np.argsort(-records["seen_t_ns"], kind="stable")[:MAX_TRACKS]
        boxes = np.concatenate([self._boxes, measured[fresh]])
        velocity = np.concatenate([self._velocity, np.zeros((len(fresh), 2))])
        self._keep(records[rows], boxes[rows], velocity[rows])

    def _without_doubles(
        self, found: Detections, fresh: NDArray[np.intp], matched: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        """`fresh` without those that lie on a matched detection of their group or on a better fresh one."""
        fresh = fresh[np.argsort(-found.score[fresh], kind="stable")]
        taken = np.concatenate([matched, fresh])
        group_id = self._group_of[found.class_id]
        double = iou_matrix(found.xyxy[fresh], found.xyxy[taken]) > DUPLICATE_IOU
        double &= group_id[fresh, None] == group_id[taken]
        better = np.arange(len(taken)) < len(matched) + np.arange(len(fresh))[:, None]
        return fresh[~(double & better).any(axis=1)]

    def _report(self, detections: Detections) -> Tracks:
        """The tracks seen now and those coasting inside the picture."""
        unseen_s = self._unseen_s()
        centre = self._boxes[:, :2]
        coasts = (unseen_s <= COAST_S) & (self._records["sightings"] > 1)
        shown = (unseen_s == 0) | (coasts & ((centre > 0) & (centre < self._scale)).all(axis=1))
        records, boxes = self._records[shown], self._boxes[shown]
        half = boxes[:, 2:] * 0.5
        xyxy = np.hstack([(boxes[:, :2] - half) / self._scale, (boxes[:, :2] + half) / self._scale])
        inside = np.clip(xyxy, 0.0, 1.0).astype(np.float32)
        found = Detections(detections.stamp, inside, records["score"].copy(), records["class_id"].copy())
        return Tracks(found, records["track_id"].copy(), records["first_t_ns"].copy())
