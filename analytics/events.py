"""What tracking and rules give: tracks of one frame, and the events that cross to the loop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.scene import Direction, Rule
from models.detections import Detections


@dataclass(frozen=True, slots=True)
class Tracks:
    """The confirmed tracks seen in one frame: row i of `detections` belongs to `track_id[i]`.

    track_id (N,) i64 unique within a camera's session; first_t_ns (N,) i64 when each was first seen.
    """

    detections: Detections
    track_id: NDArray[np.int64]
    first_t_ns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a rule found. `start_ns` is the true onset, `end_ns` None while it goes on.

    Rules give every event twice with the same `identity`: once when it starts, with `end_ns` None, and once when it
    has ended. `score` and `box` are those of the picture that made the rule fire; `dwell_s` is the time inside so far.
    """

    camera_id: str
    rule: Rule
    object_class: str
    score: float
    box: tuple[float, float, float, float]
    track_id: int
    start_ns: int
    end_ns: int | None = None
    direction: Direction | None = None
    dwell_s: float | None = None

    @property
    def identity(self) -> tuple[str, str, int, int]:
        """What the start and the end of one event have in common, and no two events."""
        return (self.camera_id, self.rule.name, self.track_id, self.start_ns)
