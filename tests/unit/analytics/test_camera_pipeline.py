from collections.abc import Mapping

import av
import numpy as np
import pytest

from analytics.camera_pipeline import CameraPipeline
from devices.scene import Line, Rule, RuleKind, Scene, Zone
from ingest.decode_policy import Mode
from ingest.packet import Frame, Stamp
from models.detections import Detections

S = 1_000_000_000
T0_NS = 10**18
WHOLE = Zone(name="whole", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))
ENTER = Rule(name="enter", kind=RuleKind.ZONE_ENTERED, area="whole", classes=frozenset({"person"}), cooldown_s=0.0)


class WalkingPerson:
    """A detector that sees a person walk to the right, a weak shadow beside, and a car."""

    class_names = ("person", "car")
    thresholds: Mapping[str, float] = {"person": 0.45, "car": 0.5}

    def __init__(self) -> None:
        self.asked: list[float | None] = []

    def detect(self, frame: Frame, min_score: float | None = None) -> Detections:
        self.asked.append(min_score)
        left = 0.2 + 0.02 * frame.stamp.seq
        xyxy = np.array([[left, 0.3, left + 0.1, 0.7], [0.7, 0.1, 0.75, 0.3], [0.1, 0.1, 0.2, 0.2]], np.float32)
        score, class_id = np.array([0.9, 0.2, 0.55], np.float32), np.array([0, 0, 1], np.int32)
        lowest = np.array([0.45, 0.45, 0.5]) if min_score is None else min_score
        return Detections(frame.stamp, xyxy, score, class_id).where(score >= lowest)


def frame(seq: int, width: int = 64, height: int = 36) -> Frame:
    return Frame(Stamp("cam", seq, T0_NS + seq * S // 5), av.VideoFrame(width, height, "yuv420p"))


def pipeline(detector: WalkingPerson, *rules: Rule, min_score: float | None = None) -> CameraPipeline:
    scene = Scene(zones=(WHOLE,), lines=(Line(name="l", start=(0.4, 0), end=(0.4, 1)),), rules=rules)
    return CameraPipeline("cam", scene, detector, 5.0, min_score=min_score)


def test_a_frame_is_detected_tracked_and_judged_in_one_go() -> None:
    camera = pipeline(WalkingPerson(), ENTER)
    result = camera.process(frame(0))
    assert result.is_detected
    assert len(result.detections) == 2
    assert [event.object_class for event in result.events] == ["person"]
    assert result.events[0].camera_id == "cam"


def test_a_frame_of_the_watch_mode_only_lets_time_pass() -> None:
    detector = WalkingPerson()
    camera = pipeline(detector, ENTER)
    camera.process(frame(0))
    result = camera.process(frame(30), Mode.WATCH)
    assert detector.asked == [None]
    assert not result.is_detected
    assert (len(result.detections), len(result.tracks)) == (0, 0)
    assert [event.end_ns for event in result.events] == [T0_NS]


@pytest.mark.parametrize(("min_score", "listed"), [(0.1, 3), (0.6, 1), (0.45, 2)])
def test_the_least_score_listed_does_not_change_what_is_tracked(min_score: float, listed: int) -> None:
    plain, asked = pipeline(WalkingPerson(), ENTER), pipeline(WalkingPerson(), ENTER, min_score=min_score)
    for seq in range(8):
        one, other = plain.process(frame(seq)), asked.process(frame(seq))
        assert len(other.detections) == listed
        np.testing.assert_array_equal(one.tracks.track_id, other.tracks.track_id)
        np.testing.assert_array_equal(one.tracks.detections.xyxy, other.tracks.detections.xyxy)
        assert one.events == other.events


def test_it_wants_frames_while_an_event_goes_on_and_not_for_ever() -> None:
    camera = pipeline(WalkingPerson(), ENTER)
    assert not camera.wants_frames
    camera.process(frame(0))
    assert camera.wants_frames
    camera.process(frame(500), Mode.WATCH)
    assert not camera.wants_frames


def test_another_aspect_ends_events_and_starts_tracking_anew() -> None:
    camera = pipeline(WalkingPerson(), ENTER)
    first = camera.process(frame(0))
    result = camera.process(frame(1, width=48))
    assert [event.identity for event in result.events if event.end_ns is not None] == [first.events[0].identity]
    assert [event.start_ns for event in result.events if event.end_ns is None] == [T0_NS + S // 5]


def test_finish_ends_every_event() -> None:
    camera = pipeline(WalkingPerson(), ENTER)
    first = camera.process(frame(0))
    assert [event.identity for event in camera.finish()] == [first.events[0].identity]


def test_a_camera_without_rules_finds_nothing_and_wants_nothing() -> None:
    camera = pipeline(WalkingPerson())
    assert [camera.process(frame(seq)).events for seq in range(3)] == [[], [], []]
    assert not camera.wants_frames
