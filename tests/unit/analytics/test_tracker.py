"""The tracker on made-up detections: identities last where they must, and end where they must."""

import numpy as np
import pytest

from analytics.events import Tracks
from analytics.track_matching import match_greedily, similarity
from analytics.track_motion import correct
from analytics.tracker import MAX_DETECTIONS, MAX_TRACKS, Tracker
from ingest.packet import Stamp
from models.detections import Detections
from tests.bench.scene import ASPECT, watch
from tests.bench.tracking_score import Score

CLASSES = ("person", "car", "truck", "dog")
THRESHOLDS = {"person": 0.45, "car": 0.45, "truck": 0.45, "dog": 0.6}
PERSON, CAR, TRUCK, DOG = range(4)
STRONG, WEAK = 0.8, 0.5


def tracker() -> Tracker:
    return Tracker(CLASSES, THRESHOLDS, aspect=1.0)


def seen(t_s: float, *found: tuple[float, float, float, int]) -> Detections:
    """Boxes 0.08 x 0.2 given as (centre x, centre y, score, class)."""
    rows = np.array(found, np.float64).reshape(-1, 4)
    half = np.array([0.04, 0.1])
    xyxy = np.hstack([rows[:, :2] - half, rows[:, :2] + half]).astype(np.float32)
    return Detections(
        Stamp("camera-1", 0, round(t_s * 1e9)), xyxy, rows[:, 2].astype(np.float32), rows[:, 3].astype(np.int32)
    )


def ids(tracks: Tracks) -> list[int]:
    return [int(track_id) for track_id in tracks.track_id]


def test_a_person_who_walks_keeps_one_id_and_the_time_they_were_first_seen() -> None:
    one = tracker()
    all_tracks = [one.update(seen(10 + i / 5, (0.1 + 0.03 * i, 0.5, STRONG, PERSON))) for i in range(20)]
    assert {tuple(ids(tracks)) for tracks in all_tracks} == {(1,)}
    assert all_tracks[-1].first_t_ns.tolist() == [10_000_000_000]


@pytest.mark.parametrize("fps", [1.5, 3, 5, 10, 25])
def test_the_frame_rate_does_not_matter(fps: float) -> None:
    one = tracker()
    speed = 0.15  # three quarters of a body height a second
    found = [
        ids(one.update(seen(i / fps, (0.1 + speed * i / fps, 0.5, STRONG, PERSON)))) for i in range(round(5 * fps))
    ]
    assert found == [[1]] * len(found)


def test_uneven_steps_between_frames_do_not_break_a_track() -> None:
    one = tracker()
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.03, 0.5, 30))
    found = [ids(one.update(seen(t, (0.1 + 0.1 * t, 0.5, STRONG, PERSON)))) for t in times.tolist()]
    assert found == [[1]] * len(found)


def test_a_weak_detection_starts_no_track_but_continues_one() -> None:
    one = tracker()
    assert ids(one.update(seen(0.0, (0.5, 0.5, WEAK, PERSON)))) == []
    assert ids(one.update(seen(0.2, (0.5, 0.5, STRONG, PERSON)))) == [1]
    assert ids(one.update(seen(0.4, (0.5, 0.5, WEAK, PERSON)))) == [1]


def test_a_score_below_the_threshold_continues_no_track() -> None:
    one = tracker()
    one.update(seen(0.0, (0.5, 0.5, STRONG, DOG)))
    one.update(seen(0.2, (0.5, 0.5, STRONG, DOG)))
    assert ids(one.update(seen(0.8, (0.5, 0.5, 0.55, DOG)))) == []


def test_a_missed_frame_is_coasted_where_the_track_was_heading() -> None:
    one = tracker()
    for i in range(10):
        last = one.update(seen(i / 5, (0.2 + 0.03 * i, 0.5, STRONG, PERSON)))
    coasted = one.update(seen(2.0))
    assert ids(coasted) == [1]
    assert coasted.detections.xyxy[0, 0] > last.detections.xyxy[0, 0] + 0.015
    assert ids(one.update(seen(2.2))) == []


def test_a_track_seen_once_does_not_coast() -> None:
    one = tracker()
    one.update(seen(0.0, (0.5, 0.5, STRONG, PERSON)))
    assert ids(one.update(seen(0.2))) == []


def test_a_track_that_left_the_picture_does_not_coast() -> None:
    one = tracker()
    for i in range(8):
        one.update(seen(i / 5, (0.80 + 0.028 * i, 0.5, STRONG, PERSON)))
    assert ids(one.update(seen(1.6))) == []


def test_a_person_hidden_for_a_second_comes_back_as_the_same() -> None:
    one = tracker()
    for i in range(10):
        one.update(seen(i / 5, (0.2 + 0.02 * i, 0.5, STRONG, PERSON)))
    for i in range(10, 15):
        one.update(seen(i / 5))
    assert ids(one.update(seen(3.0, (0.5, 0.5, STRONG, PERSON)))) == [1]


def test_after_a_gap_of_minutes_the_same_place_is_somebody_else() -> None:
    one = tracker()
    one.update(seen(0.0, (0.5, 0.5, STRONG, PERSON)))
    assert ids(one.update(seen(120.0, (0.5, 0.5, STRONG, PERSON)))) == [2]


def test_time_that_goes_back_ends_all_tracks() -> None:
    one = tracker()
    one.update(seen(100.0, (0.5, 0.5, STRONG, PERSON)))
    again = one.update(seen(99.9, (0.5, 0.5, STRONG, PERSON)))
    assert ids(again) == [2]
    assert again.first_t_ns.tolist() == [99_900_000_000]


def test_two_frames_of_one_instant_are_one_track_without_a_jump() -> None:
    one = tracker()
    one.update(seen(1.0, (0.5, 0.5, STRONG, PERSON)))
    again = one.update(seen(1.0, (0.52, 0.5, STRONG, PERSON)))
    assert ids(again) == [1]
    assert ids(one.update(seen(1.2, (0.52, 0.5, STRONG, PERSON)))) == [1]


def test_a_person_never_becomes_a_car() -> None:
    one = tracker()
    one.update(seen(0.0, (0.5, 0.5, STRONG, PERSON)))
    assert ids(one.update(seen(0.2, (0.5, 0.5, STRONG, CAR)))) == [2]


def test_a_car_called_a_truck_for_two_frames_stays_one_car() -> None:
    one = tracker()
    said = [CAR, CAR, CAR, TRUCK, TRUCK, CAR]
    found = [one.update(seen(i / 5, (0.5, 0.5, STRONG, class_id))) for i, class_id in enumerate(said)]
    assert [ids(tracks) for tracks in found] == [[1]] * len(said)
    assert {int(tracks.detections.class_id[0]) for tracks in found} == {CAR}


def test_a_class_that_keeps_coming_outvotes_the_first() -> None:
    one = tracker()
    for i, class_id in enumerate([CAR] + [TRUCK] * 4):
        last = one.update(seen(i / 5, (0.5, 0.5, STRONG, class_id)))
    assert last.detections.class_id.tolist() == [TRUCK]


def test_one_vehicle_found_as_car_and_truck_at_once_is_one_track() -> None:
    one = tracker()
    both = seen(0.0, (0.5, 0.5, 0.9, CAR), (0.505, 0.5, 0.8, TRUCK))
    tracks = one.update(both)
    assert ids(tracks) == [1]
    assert tracks.detections.class_id.tolist() == [CAR]
    assert ids(one.update(seen(0.2, (0.5, 0.5, 0.9, CAR), (0.505, 0.5, 0.8, TRUCK)))) == [1]


def test_a_person_beside_a_car_starts_a_track_of_their_own() -> None:
    one = tracker()
    assert len(one.update(seen(0.0, (0.5, 0.5, STRONG, CAR), (0.5, 0.5, STRONG, PERSON)))) == 2


def test_two_people_who_pass_each_other_keep_their_ids() -> None:
    one = tracker()
    for i in range(21):
        x = 0.2 + 0.03 * i
        tracks = one.update(seen(i / 10, (x, 0.5, STRONG, PERSON), (1 - x, 0.56, STRONG, PERSON)))
    ended = {int(t): float(box[0] + box[2]) / 2 for t, box in zip(tracks.track_id, tracks.detections.xyxy, strict=True)}
    assert ended == {1: pytest.approx(0.8, abs=0.02), 2: pytest.approx(0.2, abs=0.02)}


def test_a_fast_car_is_followed_from_its_first_two_frames_on() -> None:
    one = tracker()
    box = np.array([[0.0, 0.4, 0.2, 0.5]], np.float32)
    found = []
    for i in range(5):
        moved = box + np.array([0.18 * i, 0, 0.18 * i, 0], np.float32)  # 0.9 of its length a frame
        car = Detections(Stamp("c", i, i * 200_000_000), moved, np.array([0.8], np.float32), np.array([CAR], np.int32))
        found.append(ids(one.update(car)))
    assert found == [[1]] * 5


def test_an_empty_frame_gives_empty_arrays_of_the_right_shapes() -> None:
    tracks = tracker().update(seen(0.0))
    assert tracks.detections.xyxy.shape == (0, 4)
    assert tracks.track_id.dtype == np.int64
    assert tracks.detections.class_id.dtype == np.int32


def test_an_empty_box_disturbs_nothing() -> None:
    one = tracker()
    point = Detections(
        Stamp("c", 0, 0), np.full((1, 4), 0.5, np.float32), np.array([0.9], np.float32), np.array([0], np.int32)
    )
    for _ in range(3):
        assert np.isfinite(one.update(point).detections.xyxy).all()


def test_a_flood_of_detections_stays_bounded() -> None:
    one = tracker()
    rng = np.random.default_rng(3)
    for i in range(4):
        centres = rng.uniform(0.1, 0.9, (2000, 2))
        crowd = seen(i / 5, *[(x, y, STRONG, PERSON) for x, y in centres.tolist()])
        tracks = one.update(crowd)
        assert len(tracks) <= MAX_TRACKS
    assert MAX_DETECTIONS <= MAX_TRACKS


def test_what_was_reported_does_not_change_with_the_next_frame() -> None:
    one = tracker()
    first = one.update(seen(0.0, (0.3, 0.5, STRONG, PERSON)))
    before = first.detections.xyxy.copy()
    one.update(seen(0.2, (0.4, 0.5, STRONG, PERSON)))
    assert (first.detections.xyxy == before).all()


def test_boxes_stay_inside_the_picture() -> None:
    one = tracker()
    for i in range(5):
        tracks = one.update(seen(i / 5, (0.97, 0.95, STRONG, PERSON)))
    assert tracks.detections.xyxy.max() <= 1.0
    assert tracks.detections.xyxy.min() >= 0.0


@pytest.mark.parametrize(("fps", "mota", "idf1"), [(5, 0.82, 0.68), (10, 0.88, 0.75)])
def test_walking_people_are_followed_as_well_as_measured(fps: float, mota: float, idf1: float) -> None:
    score, one = Score(), Tracker(("person",), {"person": 0.45}, aspect=ASPECT)
    for truth, found in watch(10, fps, 20, seed=2):
        tracks = one.update(found)
        score.add(truth.person_id, truth.xyxy, tracks.track_id, tracks.detections.xyxy)
    assert score.mota() > mota
    assert score.idf1() > idf1


def test_similarity_is_one_for_the_same_box_and_nothing_outside_the_gate() -> None:
    box = np.array([[0.5, 0.5, 0.1, 0.2]])
    shifted = np.array([[0.5, 0.5, 0.1, 0.2], [0.6, 0.5, 0.1, 0.2], [0.71, 0.5, 0.1, 0.2], [0.5, 0.5, 0.1, 0.1]])
    fit = similarity(box, shifted, np.array([1.0]))
    assert fit[0, :2] == pytest.approx([1.0, 0.5])
    assert fit[0, 2] < 0
    assert fit[0, 3] == pytest.approx(0.5)


def test_the_greedy_match_takes_the_best_pair_first_and_each_side_once() -> None:
    rows, columns = match_greedily(np.array([[0.9, 0.8], [0.85, 0.0], [0.0, 0.0]]))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 0)]
    rows, columns = match_greedily(np.array([[0.7, 0.8], [0.75, 0.1]]))
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_correction_after_a_long_time_believes_the_measurement() -> None:
    boxes, velocity = np.array([[0.5, 0.5, 0.1, 0.2]]), np.zeros((1, 2))
    measured = np.array([[0.6, 0.5, 0.12, 0.22]])
    correct(boxes, velocity, measured, np.array([5.0]), np.array([100]))
    assert boxes == pytest.approx(measured, abs=1e-6)
    assert velocity[0, 0] == pytest.approx(0.1 / 5, rel=0.01)
