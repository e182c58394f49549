import asyncio
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import NS_PER_S, FakeClock, SystemClock, to_ns, utc

MICROSECONDS = st.integers(min_value=-(10**14), max_value=4 * 10**15)


@given(MICROSECONDS)
def test_a_moment_survives_the_way_to_nanoseconds_and_back(microseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    assert to_ns(moment) == microseconds * 1000
    assert utc(to_ns(moment)) == moment


def test_a_moment_of_another_time_zone_is_the_same_instant() -> None:
    beijing = timezone(timedelta(hours=8))
    assert to_ns(datetime(2026, 1, 1, 8, tzinfo=beijing)) == to_ns(datetime(2026, 1, 1, tzinfo=UTC))


def test_nanoseconds_below_a_microsecond_are_cut_off() -> None:
    assert utc(1_999_999_999).microsecond == 999_999


async def test_sleepers_wake_in_order_and_only_when_due() -> None:
    clock = FakeClock()
    woken: list[str] = []

    async def sleeper(name: str, duration_s: float) -> None:
        await clock.sleep(duration_s)
        woken.append(name)

    tasks = [asyncio.create_task(sleeper(name, after_s)) for name, after_s in (("late", 3), ("soon", 1))]
    await asyncio.sleep(0)
    clock.advance(0.999)
    await asyncio.sleep(0)
    assert woken == []
    clock.advance(0.001)
    await asyncio.sleep(0)
    assert woken == ["soon"]
    clock.advance(10)
    await asyncio.gather(*tasks)
    assert woken == ["soon", "late"]


async def test_a_cancelled_sleeper_does_not_disturb_the_clock() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    clock.advance(5)
    assert clock.monotonic_s() == 5


def test_a_jump_of_wall_time_leaves_intervals_alone() -> None:
    clock = FakeClock()
    before_ns, before_s = clock.now_ns(), clock.monotonic_s()
    clock.jump_wall(-3600)
    assert clock.now_ns() == before_ns - 3600 * NS_PER_S
    assert clock.monotonic_s() == before_s


async def test_the_system_clock_goes_forward() -> None:
    clock = SystemClock()
    before_ns, before_s = clock.now_ns(), clock.monotonic_s()
    await clock.sleep(0.001)
    assert clock.now_ns() > before_ns
    assert clock.monotonic_s() > before_s
