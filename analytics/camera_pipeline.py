"""One camera's analysis, straight-line: a frame in, what was detected, tracked and found by rules out.

Synchronous and without threads, one call at a time: the worker runs it in an inference thread, `sharpeyes analyze` in
its loop. Raises only what the detector raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analytics.events import Event, Tracks
from analytics.rules import RuleEngine
from analytics.tracker import Tracker
from devices.scene import Scene
from ingest.decode_policy import Mode
from ingest.packet import Frame, Stamp
from models.detections import Detections

SAME_ASPECT = 0.01
"""Cropping to whole macroblocks changes less."""


class FrameDetector(Protocol):
    """What the pipeline asks of a detector; `models.detector.Detector` outside tests. Shared by threads."""

    @property
    def class_names(self) -> tuple[str, ...]: ...
    @property
    def thresholds(self) -> Mapping[str, float]: ...
    def detect(self, frame: Frame, min_score: float | None = None) -> Detections: ...


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What came of one frame. A frame that only passed the time (`is_detected` False) has no detections and tracks."""

    detections: Detections
    tracks: Tracks
    events: list[Event]
    is_detected: bool = True


class CameraPipeline:
    """Detector, tracker and rules of one camera. `min_score` changes what is listed, never what is tracked."""

    def __init__(
        self,
        camera_id: str,
        scene: Scene,
        detector: FrameDetector,
        detect_fps: float,
        *,
        min_score: float | None = None,
    ) -> None:
        self._detector = detector
        self._rules = RuleEngine(camera_id, scene, detector.class_names, detect_fps)
        self._tracker = Tracker(detector.class_names, detector.thresholds)
        self._aspect = 0.0
        self._min_score = min_score
        self._track_scores = np.array(
            [detector.thresholds.get(name, np.inf) for name in detector.class_names], np.float32
        )
        self._wants_frames = False

    @property
    def wants_frames(self) -> bool:
        """Whether, as of the last call, frames are needed though nothing moves; may be read from any thread."""
        return self._wants_frames

    def process(self, frame: Frame, mode: Mode = Mode.ACTIVE) -> FrameResult:
        """Analyse the next frame. One decoded only to watch whether anything stirs just lets time pass."""
        if mode is Mode.WATCH:
            return self.pass_time(frame.stamp)
        events = self._begin_aspect(frame.width_px / frame.height_px)
        listed, usable = self._detect(frame)
        tracks = self._tracker.update(usable)
        events += self._rules.update(tracks)
        self._wants_frames = self._rules.wants_frames(frame.stamp.t_ns)
        return FrameResult(listed, tracks, events)

    def pass_time(self, stamp: Stamp) -> FrameResult:
        """Nothing was detected up to `stamp.t_ns`: end the events of tracks unseen for too long."""
        events = self._rules.tick(stamp.t_ns)
        self._wants_frames = self._rules.wants_frames(stamp.t_ns)
        return FrameResult(nothing_detected(stamp), nothing_tracked(stamp), events, is_detected=False)

    def finish(self) -> list[Event]:
        """The ends of all events that go on: the camera goes away."""
        return self._rules.end_all()

    def _detect(self, frame: Frame) -> tuple[Detections, Detections]:
        """What to list and what to track."""
        if self._min_score is None:
            found = self._detector.detect(frame)
            return found, found
        found = self._detector.detect(frame, min(self._min_score, *self._detector.thresholds.values()))
        listed = found.where(found.score >= self._min_score)
        return listed, found.where(found.score >= self._track_scores[found.class_id])

    def _begin_aspect(self, aspect: float) -> list[Event]:
        """A picture of another shape gets a new tracker, as motion is in true proportions; its ids begin anew."""
        if abs(aspect - self._aspect) < SAME_ASPECT:
            return []
        self._aspect = aspect
        self._tracker = Tracker(self._detector.class_names, self._detector.thresholds, aspect=aspect)
        return self._rules.end_all()


def nothing_detected(stamp: Stamp) -> Detections:
    """No detections in the frame of `stamp`."""
    return Detections(stamp, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


def nothing_tracked(stamp: Stamp) -> Tracks:
    """No tracks in the frame of `stamp`."""
    return Tracks(nothing_detected(stamp), np.zeros(0, np.int64), np.zeros(0, np.int64))
