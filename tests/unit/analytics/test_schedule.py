from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.schedule import ArmedTimes
from devices.scene import Schedule, TimeWindow
from runtime.clock import to_ns

MONDAY = 5
"""2026-01-05."""


def local_ns(zone: str, *when: int, fold: int = 0) -> int:
    return to_ns(datetime(*when, tzinfo=ZoneInfo(zone), fold=fold))  # type: ignore[arg-type,misc]


def armed(windows: tuple[TimeWindow, ...], *when: int, zone: str = "Asia/Shanghai", fold: int = 0) -> bool:
    return ArmedTimes(Schedule(timezone=zone, windows=windows)).is_armed(local_ns(zone, *when, fold=fold))


NIGHT = (TimeWindow(start_min=22 * 60, end_min=6 * 60, weekdays=frozenset({0})),)
OFFICE = (TimeWindow(start_min=9 * 60, end_min=17 * 60, weekdays=frozenset({0, 1, 2, 3, 4})),)


def test_a_rule_without_windows_is_always_armed() -> None:
    assert armed((), 2026, 1, MONDAY, 3, 0)


@pytest.mark.parametrize(
    ("day", "hour", "minute", "expected"),
    [(MONDAY, 8, 59, False), (MONDAY, 9, 0, True), (MONDAY, 16, 59, True), (MONDAY, 17, 0, False), (10, 12, 0, False)],
)
def test_a_window_holds_from_its_first_minute_to_before_its_last(
    day: int, hour: int, minute: int, expected: bool
) -> None:
    assert armed(OFFICE, 2026, 1, day, hour, minute) is expected


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [(5, 21, False), (5, 22, True), (6, 5, True), (6, 6, False), (6, 23, False), (5, 3, False)],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins(day: int, hour: int, expected: bool) -> None:
    assert armed(NIGHT, 2026, 1, day, hour, 0) is expected


def test_equal_ends_mean_a_whole_day_from_there() -> None:
    day = (TimeWindow(start_min=360, end_min=360, weekdays=frozenset({0})),)
    assert armed(day, 2026, 1, 5, 6, 0)
    assert armed(day, 2026, 1, 6, 5, 59)
    assert not armed(day, 2026, 1, 6, 6, 0)


def test_a_window_may_end_at_midnight() -> None:
    evening = (TimeWindow(start_min=22 * 60, end_min=24 * 60, weekdays=frozenset({0})),)
    assert armed(evening, 2026, 1, 5, 23, 59)
    assert not armed(evening, 2026, 1, 6, 0, 0)


def test_local_time_decides_not_utc() -> None:
    at_nine_in_shanghai = local_ns("Asia/Shanghai", 2026, 1, 5, 9, 30)
    assert ArmedTimes(Schedule(timezone="Asia/Shanghai", windows=OFFICE)).is_armed(at_nine_in_shanghai)
    assert not ArmedTimes(Schedule(timezone="Europe/Berlin", windows=OFFICE)).is_armed(at_nine_in_shanghai)


def test_an_hour_that_summer_time_skips_leaves_the_rest_of_the_window_armed() -> None:
    early = (TimeWindow(start_min=2 * 60, end_min=4 * 60),)
    armed_times = ArmedTimes(Schedule(timezone="Europe/Berlin", windows=early))
    one_minute_to_two = local_ns("Europe/Berlin", 2026, 3, 29, 1, 59)
    assert not armed_times.is_armed(one_minute_to_two)
    assert armed_times.is_armed(one_minute_to_two + 60_000_000_000)
    assert not armed_times.is_armed(local_ns("Europe/Berlin", 2026, 3, 29, 4, 0))


def test_an_hour_that_winter_time_repeats_is_armed_both_times() -> None:
    early = (TimeWindow(start_min=2 * 60, end_min=3 * 60),)
    for fold in (0, 1):
        assert armed(early, 2026, 10, 25, 2, 30, zone="Europe/Berlin", fold=fold)
    assert not armed(early, 2026, 10, 25, 3, 0, zone="Europe/Berlin")


@given(
    minute=st.integers(0, 60 * 24 * 400),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    days=st.sets(st.integers(0, 6), min_size=1),
)
def test_being_asked_minute_by_minute_and_out_of_order_gives_the_same_answers(
    minute: int, start: int, end: int, days: set[int]
) -> None:
    schedule = Schedule(
        timezone="Europe/Berlin", windows=(TimeWindow(start_min=start, end_min=end, weekdays=frozenset(days)),)
    )
    kept = ArmedTimes(schedule)
    first_ns = local_ns("Europe/Berlin", 2026, 1, 1, 0, 0) + minute * 60_000_000_000
    for t_ns in (first_ns, first_ns + 30_000_000_000, first_ns + 90_000_000_000, first_ns):
        assert kept.is_armed(t_ns) == ArmedTimes(schedule).is_armed(t_ns)
