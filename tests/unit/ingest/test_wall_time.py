"""Wall time: near the host's, rising, whatever a camera's clock or the host's clock does."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.wall_time import MAX_AHEAD_NS, MAX_BEHIND_NS, SMALLEST_STEP_NS, FileTime, HostTime, WallTime
from runtime.clock import NS_PER_S, FakeClock

START_NS = FakeClock().now_ns()
FRAME_90K = 3600
FRAME_S = 0.04

arrivals = st.lists(
    st.tuples(st.floats(0, 2), st.one_of(st.integers(-(2**40), 2**40), st.integers(-90_000, 90_000))), max_size=60
)


def test_stamps_follow_the_stream_and_not_the_jitter_of_its_arrival() -> None:
    clock = FakeClock()
    times = WallTime(clock)
    stamps = []
    for number in range(200):
        stamps.append(times.stamp_ns(number * FRAME_90K))
        clock.advance(FRAME_S * (2 if number % 2 else 0))
    steps_ns = [later - earlier for earlier, later in itertools.pairwise(stamps)]
    assert steps_ns == pytest.approx([FRAME_S * NS_PER_S] * 199, rel=0.002)
    assert stamps[0] == START_NS


@pytest.mark.parametrize("speed", [0.999, 1.001, 0.5, 3.0])
def test_a_camera_whose_clock_runs_wrong_stays_near_the_hosts(speed: float) -> None:
    clock = FakeClock()
    times = WallTime(clock)
    for number in range(5_000):
        stamp_ns = times.stamp_ns(round(number * FRAME_90K * speed))
        assert -MAX_BEHIND_NS <= stamp_ns - clock.now_ns() <= MAX_AHEAD_NS
        clock.advance(FRAME_S)


def test_a_camera_with_a_usual_quartz_drifts_by_less_than_a_frame() -> None:
    clock = FakeClock()
    times = WallTime(clock)
    for number in range(30_000):
        stamp_ns = times.stamp_ns(round(number * FRAME_90K * 1.0001))
        clock.advance(FRAME_S)
    assert abs(stamp_ns + FRAME_S * NS_PER_S - clock.now_ns()) < FRAME_S * NS_PER_S


@given(arrivals)
def test_whatever_the_camera_says_stamps_stay_near_the_arrival(stream: list[tuple[float, int]]) -> None:
    clock = FakeClock()
    times = WallTime(clock)
    for delay_s, pts_90k in stream:
        clock.advance(delay_s)
        stamp_ns = times.stamp_ns(pts_90k)
        assert -MAX_BEHIND_NS <= stamp_ns - clock.now_ns() <= MAX_AHEAD_NS + len(stream) * SMALLEST_STEP_NS


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-100, 100), st.integers(1, 2**34)), max_size=60))
def test_pictures_in_order_get_rising_stamps_while_the_hosts_clock_jumps(
    stream: list[tuple[float, float, int]],
) -> None:
    clock = FakeClock()
    times = WallTime(clock)
    pts_90k, last_ns = 0, 0
    for delay_s, jump_s, step_90k in stream:
        clock.advance(delay_s)
        clock.jump_wall(jump_s)
        pts_90k += step_90k
        stamp_ns = times.stamp_ns(pts_90k)
        assert stamp_ns > last_ns
        last_ns = stamp_ns


def test_a_wrap_of_the_cameras_clock_is_no_step_in_time() -> None:
    clock = FakeClock()
    times = WallTime(clock)
    for number in range(50):
        before_ns = times.stamp_ns((2**32 - 25 * FRAME_90K + number * FRAME_90K) % 2**32)
        clock.advance(FRAME_S)
    assert before_ns == pytest.approx(clock.now_ns(), abs=0.1 * NS_PER_S)


def test_b_frames_are_stamped_by_when_they_are_shown() -> None:
    clock = FakeClock()
    times = WallTime(clock)
    shown = {number: times.stamp_ns(number * FRAME_90K) for number in (0, 3, 1, 2)}
    assert shown[1] == pytest.approx(shown[0] + FRAME_S * NS_PER_S, abs=1e6)
    assert shown[2] == pytest.approx(shown[0] + 2 * FRAME_S * NS_PER_S, abs=1e6)


def test_a_new_session_begins_at_its_arrival_and_never_before_the_last_stamp() -> None:
    clock = FakeClock()
    times = WallTime(clock)
    first_ns = times.stamp_ns(90_000_000)
    clock.jump_wall(-3600)
    times.begin_session()
    assert times.stamp_ns(0) > first_ns
    clock.jump_wall(3600 + 60)
    times.begin_session()
    assert times.stamp_ns(0) == clock.now_ns()


def test_host_time_catches_up_slowly_when_the_clock_is_set_back() -> None:
    clock = FakeClock()
    host = HostTime(clock)
    clock.jump_wall(-10)
    seen = []
    for _ in range(200):
        clock.advance(1)
        seen.append(host.now_ns())
    steps_s = {round((later - earlier) / NS_PER_S, 3) for earlier, later in itertools.pairwise(seen)}
    assert steps_s == {0.9, 1.0}
    assert seen[-1] == clock.now_ns()


def test_a_file_keeps_its_own_times() -> None:
    times = FileTime(START_NS)
    assert [times.stamp_ns(pts) for pts in (900, 90_900, 2**33)] == [
        START_NS,
        START_NS + NS_PER_S,
        START_NS + (2**33 - 900) * NS_PER_S // 90_000,
    ]
