"""How well tracks follow the truth: MOTA and switches (CLEAR MOT, Bernardin and Stiefelhagen 2008), IDF1."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analytics.track_matching import match_greedily
from models.nms import iou_matrix

SAME_IOU = 0.5


@dataclass(slots=True)
class Score:
    """Counts over frames. IDF1 pairs identities greedily by the frames they share; the optimum is a bit higher."""

    truths: int = 0
    reported: int = 0
    matched: int = 0
    switches: int = 0
    overlap_sum: float = 0.0
    _last_track: dict[int, int] = field(default_factory=dict)
    _shared: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(
        self,
        person_id: NDArray[np.int64],
        person_xyxy: NDArray[np.float32],
        track_id: NDArray[np.int64],
        track_xyxy: NDArray[np.float32],
    ) -> None:
        """Count one frame; a pair of the frame before is kept while it overlaps, as CLEAR MOT has it."""
        overlap = iou_matrix(person_xyxy, track_xyxy).astype(np.float64)
        kept = np.array([[self._last_track.get(int(p)) == int(t) for t in track_id] for p in person_id])
        fit = np.where(overlap >= SAME_IOU, overlap, 0.0)
        rows, columns = match_greedily(fit + (fit > 0) * kept.reshape(fit.shape))
        self.truths, self.reported = self.truths + len(person_id), self.reported + len(track_id)
        self.matched += len(rows)
        self.overlap_sum += float(overlap[rows, columns].sum())
        for person, track in zip(person_id[rows].tolist(), track_id[columns].tolist(), strict=True):
            self.switches += self._last_track.get(person, track) != track
            self._last_track[person] = track
            self._shared[person, track] = self._shared.get((person, track), 0) + 1

    def mota(self) -> float:
        wrong = (self.truths - self.matched) + (self.reported - self.matched) + self.switches
        return 1 - wrong / max(1, self.truths)

    def idf1(self) -> float:
        same, persons, tracks = 0, set[int](), set[int]()
        for (person, track), frames in sorted(self._shared.items(), key=lambda item: -item[1]):
            if person not in persons and track not in tracks:
                persons.add(person)
                tracks.add(track)
                same += frames
        return 2 * same / max(1, self.truths + self.reported)

    def mean_overlap(self) -> float:
        return self.overlap_sum / max(1, self.matched)
