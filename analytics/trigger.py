"""What every rule shares: which sightings count, when it is armed, how long it stays silent, and the event it fires."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.events import Event
from analytics.schedule import ArmedTimes
from analytics.track_slots import Sightings
from devices.scene import Direction, Rule
from models.detections import Detections
from runtime.clock import NS_PER_S


class Trigger:
    """The bounds of one rule of one camera. The cooldown is the rule's, whichever track made it fire."""

    def __init__(self, camera_id: str, rule: Rule, class_names: Sequence[str]) -> None:
        """`class_names[i]` is the detector's name of class i."""
        self.rule = rule
        self._camera_id = camera_id
        self._class_names = class_names
        self._counts = np.array([name in rule.classes for name in class_names], np.bool_)
        self._armed = ArmedTimes(rule.schedule)
        self._cooldown_ns = round(rule.cooldown_s * NS_PER_S)
        self._silent_until_ns = 0

    @property
    def can_fire(self) -> bool:
        """Whether the detector knows any class the rule asks for."""
        return bool(self._counts.any())

    def admits(self, detections: Detections) -> NDArray[np.bool_]:
        """(N,) whether each detection has a class and a height that count."""
        height = detections.xyxy[:, 3] - detections.xyxy[:, 1]
        admitted: NDArray[np.bool_] = self._counts[detections.class_id] & (height >= self.rule.min_height)
        return admitted

    def is_armed(self, t_ns: int) -> bool:
        return self._armed.is_armed(t_ns)

    def is_cooling(self, t_ns: int) -> bool:
        return t_ns < self._silent_until_ns

    def fire(
        self,
        seen: Sightings,
        at: int,
        start_ns: int,
        *,
        direction: Direction | None = None,
        dwell_s: float | None = None,
    ) -> Event:
        """The event of the track at place `at` of `seen`; starts the cooldown."""
        self._silent_until_ns = seen.t_ns + self._cooldown_ns
        x1, y1, x2, y2 = seen.detections.xyxy[at].tolist()
        return Event(
            camera_id=self._camera_id,
            rule=self.rule,
            object_class=self._class_names[seen.detections.class_id[at]],
            score=float(seen.detections.score[at]),
            box=(x1, y1, x2, y2),
            track_id=int(seen.track_id[at]),
            start_ns=start_ns,
            direction=direction,
            dwell_s=dwell_s,
        )
