import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.sensor_watch import FindingKind, SensorFinding, SensorWatch
from devices.model import Crossing, Sensor, Threshold
from runtime.errors import InvalidInputError

S = 1_000_000_000
HIGH = Threshold(name="flood", crossing=Crossing.ABOVE, trip=3.0, clear=2.5)
SLOW = Threshold(name="slow", crossing=Crossing.ABOVE, trip=3.0, clear=2.5, dwell_s=60.0)
LOW = Threshold(name="empty", crossing=Crossing.BELOW, trip=0.5, clear=1.0)


def sensor(*thresholds: Threshold, missing_after_s: float = 900.0) -> Sensor:
    return Sensor(
        sensor_id="s1",
        name="bridge",
        site_id="v1",
        metric="water_level",
        unit="m",
        thresholds=thresholds,
        missing_after_s=missing_after_s,
    )


def run(watch: SensorWatch, *readings: tuple[float, float]) -> list[tuple[FindingKind, float]]:
    """Kinds and times in seconds of what readings (t_s, value) bring."""
    found = [finding for t_s, value in readings for finding in watch.reading(value, round(t_s * S))]
    return told(found)


def told(found: list[SensorFinding]) -> list[tuple[FindingKind, float]]:
    return [(finding.kind, finding.t_ns / S) for finding in found]


def test_it_trips_beyond_the_limit_and_clears_only_behind_the_hysteresis() -> None:
    watch = SensorWatch(sensor(HIGH), started_ns=0)
    found = run(watch, (1, 2.9), (2, 3.1), (3, 2.9), (4, 2.6), (5, 2.5), (6, 2.4))
    assert found == [(FindingKind.TRIPPED, 2), (FindingKind.CLEARED, 5)]


def test_a_threshold_below_is_the_mirror_image() -> None:
    watch = SensorWatch(sensor(LOW), started_ns=0)
    assert run(watch, (1, 0.4), (2, 0.9), (3, 1.0)) == [(FindingKind.TRIPPED, 1), (FindingKind.CLEARED, 3)]


def test_a_value_resting_on_a_limit_without_hysteresis_does_not_flap() -> None:
    flat = Threshold(name="flat", crossing=Crossing.ABOVE, trip=3.0, clear=3.0)
    assert run(SensorWatch(sensor(flat), started_ns=0), *[(t, 3.0) for t in range(1, 9)]) == []


def test_a_dwell_must_last_without_a_break() -> None:
    watch = SensorWatch(sensor(SLOW), started_ns=0)
    found = run(watch, (0, 3.1), (50, 2.9), (55, 3.2), (100, 3.2), (115, 3.3))
    assert found == [(FindingKind.TRIPPED, 115)]


def test_a_dwell_runs_out_between_two_readings() -> None:
    watch = SensorWatch(sensor(SLOW), started_ns=0)
    run(watch, (0, 3.1))
    assert watch.tick(59 * S) == []
    tripped = watch.tick(60 * S)[0]
    assert (tripped.kind, tripped.value, tripped.since_ns) == (FindingKind.TRIPPED, 3.1, 0)
    assert watch.tick(61 * S) == []


def test_silence_is_missing_data_once_and_the_next_reading_brings_it_back() -> None:
    watch = SensorWatch(sensor(missing_after_s=10), started_ns=0)
    run(watch, (5, 1.0))
    assert watch.tick(15 * S) == []
    assert told(watch.tick(16 * S)) == [(FindingKind.MISSING, 16)]
    assert watch.tick(99 * S) == []
    assert run(watch, (100, 1.0)) == [(FindingKind.BACK, 100)]


def test_a_sensor_never_heard_is_missing_after_its_time() -> None:
    watch = SensorWatch(sensor(missing_after_s=10), started_ns=100 * S)
    missing = watch.tick(111 * S)[0]
    assert (missing.kind, missing.value, missing.since_ns) == (FindingKind.MISSING, None, 100 * S)


def test_silence_found_only_by_the_next_reading_is_still_told() -> None:
    watch = SensorWatch(sensor(missing_after_s=10), started_ns=0)
    assert run(watch, (60, 1.0)) == [(FindingKind.MISSING, 60), (FindingKind.BACK, 60)]


def test_a_dwell_does_not_run_on_through_missing_data() -> None:
    watch = SensorWatch(sensor(SLOW, missing_after_s=10), started_ns=0)
    run(watch, (0, 3.1))
    assert told(watch.tick(100 * S)) == [(FindingKind.MISSING, 100)]
    assert run(watch, (101, 3.1)) == [(FindingKind.BACK, 101)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_and_changes_nothing(value: float) -> None:
    watch = SensorWatch(sensor(HIGH, missing_after_s=10), started_ns=0)
    with pytest.raises(InvalidInputError, match="not a finite number"):
        watch.reading(value, 9 * S)
    assert told(watch.tick(11 * S)) == [(FindingKind.MISSING, 11)]


def test_time_that_goes_back_stands_still() -> None:
    watch = SensorWatch(sensor(HIGH), started_ns=100 * S)
    assert run(watch, (50, 3.1)) == [(FindingKind.TRIPPED, 100)]


def test_what_stood_before_a_restart_is_not_told_again() -> None:
    watch = SensorWatch(sensor(HIGH), started_ns=0, tripped={"flood", "gone"}, missing=True)
    assert watch.tripped == {"flood"}
    assert watch.tick(10**6 * S) == []
    found = run(watch, (10**6 + 1, 3.5), (10**6 + 2, 2.0))
    assert found == [(FindingKind.BACK, 10**6 + 1), (FindingKind.CLEARED, 10**6 + 2)]


steps = st.lists(st.tuples(st.floats(0, 400), st.one_of(st.none(), st.floats(0, 5))), max_size=40)
"""Seconds to wait, then a reading or a tick."""


def play(watch: SensorWatch, t_s: float, taken: list[tuple[float, float | None]]) -> tuple[list[SensorFinding], float]:
    found: list[SensorFinding] = []
    for wait_s, value in taken:
        t_s += wait_s
        found += watch.tick(round(t_s * S)) if value is None else watch.reading(value, round(t_s * S))
    return found, t_s


@given(steps=steps)
def test_every_threshold_trips_and_clears_in_turn_and_data_goes_and_comes_in_turn(
    steps: list[tuple[float, float | None]],
) -> None:
    watch = SensorWatch(sensor(HIGH, SLOW, LOW), started_ns=0)
    found, _ = play(watch, 0.0, steps)
    for name in ("flood", "slow", "empty"):
        kinds = [f.kind for f in found if f.threshold and f.threshold.name == name]
        turns = [FindingKind.TRIPPED, FindingKind.CLEARED] * len(kinds)
        assert kinds == turns[: len(kinds)]
        assert (name in watch.tripped) == (len(kinds) % 2 == 1)
    gone = [f.kind for f in found if f.threshold is None]
    assert gone == ([FindingKind.MISSING, FindingKind.BACK] * len(gone))[: len(gone)]
    assert watch.is_missing == (len(gone) % 2 == 1)
    assert all(one.t_ns <= other.t_ns for one, other in pairwise(found))
    assert all(finding.since_ns <= finding.t_ns for finding in found)


@given(steps=steps)
def test_without_dwell_the_state_follows_from_the_last_value(steps: list[tuple[float, float | None]]) -> None:
    watch = SensorWatch(sensor(HIGH), started_ns=0)
    play(watch, 0.0, steps)
    values = [value for _, value in steps if value is not None]
    if values and values[-1] > HIGH.trip:
        assert watch.tripped
    if values and values[-1] <= HIGH.clear:
        assert not watch.tripped


@given(before=steps, after=steps)
def test_a_restart_in_between_changes_nothing_without_dwell(
    before: list[tuple[float, float | None]], after: list[tuple[float, float | None]]
) -> None:
    whole = SensorWatch(sensor(HIGH, LOW, missing_after_s=86400.0), started_ns=0)
    _, t_s = play(whole, 0.0, before)
    again = SensorWatch(whole.sensor, started_ns=round(t_s * S), tripped=whole.tripped, missing=whole.is_missing)
    one, _ = play(whole, t_s, after)
    other, _ = play(again, t_s, after)
    assert [(f.kind, f.threshold) for f in one] == [(f.kind, f.threshold) for f in other]
