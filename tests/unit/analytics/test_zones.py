import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.zones import MASK_CELLS, LineSegment, ZoneMask, foot_points
from devices.scene import Line, Zone

fraction = st.floats(0, 1, width=32)


def feet(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32).reshape(-1, 2)


def test_a_foot_point_is_the_bottom_centre_of_its_box() -> None:
    boxes = np.array([[0.1, 0.2, 0.3, 0.9]], np.float32)
    np.testing.assert_allclose(foot_points(boxes), [[0.2, 0.9]], rtol=1e-6)


def test_a_concave_zone_leaves_its_notch_outside() -> None:
    u_shape = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.7, 0.7), (0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))
    mask = ZoneMask(Zone(name="u", polygon=u_shape))
    assert mask.contains(feet((0.2, 0.5), (0.8, 0.5), (0.5, 0.8))).tolist() == [True, True, True]
    assert mask.contains(feet((0.5, 0.5), (0.05, 0.5), (0.95, 0.5))).tolist() == [False, False, False]


def test_points_on_and_beyond_the_edge_of_the_picture_count_as_on_it() -> None:
    whole = ZoneMask(Zone(name="all", polygon=((0, 0), (1, 0), (1, 1), (0, 1))))
    assert whole.contains(feet((0, 0), (1, 1), (1.2, -0.1))).all()


def test_a_zone_thinner_than_a_cell_still_has_an_inside() -> None:
    thin = ZoneMask(Zone(name="thin", polygon=((0.2, 0.5), (0.8, 0.5), (0.8, 0.501), (0.2, 0.501))))
    assert thin.contains(feet((0.5, 0.5005)))[0]


def test_no_tracks_give_no_answers() -> None:
    mask = ZoneMask(Zone(name="all", polygon=((0, 0), (1, 0), (1, 1))))
    assert mask.contains(feet()).shape == (0,)


@given(left=fraction, top=fraction, right=fraction, bottom=fraction, x=fraction, y=fraction)
def test_a_mask_agrees_with_the_rectangle_away_from_its_border(
    left: float, top: float, right: float, bottom: float, x: float, y: float
) -> None:
    left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    if right - left < 0.01 or bottom - top < 0.01:
        return
    mask = ZoneMask(Zone(name="z", polygon=((left, top), (right, top), (right, bottom), (left, bottom))))
    border = 1.5 / MASK_CELLS
    if min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom)) > border:
        assert mask.contains(feet((x, y)))[0] == (left < x < right and top < y < bottom)


@pytest.mark.parametrize(
    ("start", "end", "left_hand"),
    [
        ((0.2, 0.5), (0.8, 0.5), (0.5, 0.4)),
        ((0.8, 0.5), (0.2, 0.5), (0.5, 0.6)),
        ((0.5, 0.8), (0.5, 0.2), (0.4, 0.5)),
        ((0.5, 0.2), (0.5, 0.8), (0.6, 0.5)),
    ],
)
def test_side_a_is_on_the_left_hand_of_one_who_looks_from_start_to_end(
    start: tuple[float, float], end: tuple[float, float], left_hand: tuple[float, float]
) -> None:
    assert LineSegment(Line(name="l", start=start, end=end)).side(feet(left_hand))[0] < 0


def test_the_distance_from_a_line_is_that_of_geometry() -> None:
    line = LineSegment(Line(name="l", start=(0.0, 0.0), end=(0.6, 0.8)))
    assert line.side(feet((0.8, 0.4)))[0] == pytest.approx(-0.4)


def test_a_step_counts_only_where_it_meets_the_segment() -> None:
    line = LineSegment(Line(name="l", start=(0.2, 0.5), end=(0.8, 0.5)))
    before = feet((0.5, 0.4), (0.5, 0.6), (0.1, 0.4), (0.9, 0.4), (0.5, 0.1))
    after = feet((0.5, 0.6), (0.5, 0.4), (0.1, 0.6), (0.9, 0.6), (0.5, 0.4))
    sign, along = line.crossings(before, after)
    assert sign.tolist() == [1, -1, 0, 0, 0]
    assert along[0] == pytest.approx(0.5)


def test_a_step_through_the_very_end_of_a_line_crosses_it() -> None:
    line = LineSegment(Line(name="l", start=(0.25, 0.5), end=(0.75, 0.5)))
    assert line.crossings(feet((0.75, 0.25)), feet((0.75, 0.75)))[0][0] == 1


def test_stopping_exactly_on_the_line_does_not_count_twice() -> None:
    line = LineSegment(Line(name="l", start=(0.25, 0.5), end=(0.75, 0.5)))
    path = feet((0.5, 0.25), (0.5, 0.5), (0.5, 0.75))
    assert line.crossings(path[:-1], path[1:])[0].sum() == 1


@given(points=st.lists(st.tuples(fraction, fraction), min_size=2, max_size=12))
def test_a_closed_walk_crosses_an_endless_line_as_often_one_way_as_the_other(points: list[tuple[float, float]]) -> None:
    line = LineSegment(Line(name="l", start=(0.0, 0.45), end=(1.0, 0.55)))
    path = feet(*points, points[0])
    assert line.crossings(path[:-1], path[1:])[0].sum() == 0
