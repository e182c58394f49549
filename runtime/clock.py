"""Time as a port: `SystemClock` outside tests, `FakeClock` inside them.

Wall time is UTC nanoseconds (`now_ns`); intervals use `monotonic_s`, which never jumps.
"""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_S = 1_000_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where a service takes time from."""

    def now_ns(self) -> int:
        """UTC now, nanoseconds since 1970."""

    def monotonic_s(self) -> float:
        """Seconds since some fixed instant; never goes back."""

    async def sleep(self, duration_s: float) -> None:
        """Return once `duration_s` of this clock's time has passed."""


class SystemClock:
    """The host's clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s)


class FakeClock:
    """A clock that moves only when a test calls `advance`."""

    def __init__(self, start_ns: int = 1_767_225_600 * NS_PER_S) -> None:
        self._now_ns = start_ns
        self._monotonic_ns = 0
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_s(self) -> float:
        return self._monotonic_ns / NS_PER_S

    async def sleep(self, duration_s: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        due_ns = self._monotonic_ns + round(max(0.0, duration_s) * NS_PER_S)
        heapq.heappush(self._sleepers, (due_ns, next(self._order), woken))
        await woken

    @property
    def sleepers(self) -> int:
        """How many sleep on this clock now, so that a test need not guess when they do."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def advance(self, duration_s: float) -> None:
        """Move both clocks forward and wake every sleeper that is due."""
        step_ns = round(duration_s * NS_PER_S)
        self._now_ns += step_ns
        self._monotonic_ns += step_ns
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_ns:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)

    def jump_wall(self, duration_s: float) -> None:
        """Move wall time alone, as a time server that corrects the host does."""
        self._now_ns += round(duration_s * NS_PER_S)


def utc(t_ns: int) -> datetime:
    """UTC nanoseconds as an aware datetime, cut to microseconds."""
    return datetime.fromtimestamp(t_ns // NS_PER_S, UTC).replace(microsecond=t_ns % NS_PER_S // 1000)


def to_ns(moment: datetime) -> int:
    """An aware datetime as UTC nanoseconds."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
