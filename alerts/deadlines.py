"""Times at which something is due, by name, on the given clock's monotonic time. One waiter; memory O(names).

Runs on the loop. Setting a name again replaces its time. Nothing is kept on disk: the owner sets them again at start.
"""

import asyncio
import heapq

from runtime.clock import Clock

SPARE_ENTRIES = 1000
"""Replaced entries the heap may hold beyond the live ones before it is built anew."""


class Deadlines:
    """`set(name, in_s)`, then `await due()` gives the names whose time has come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._is_earlier = asyncio.Event()

    def set(self, name: str, in_s: float) -> None:
        """Let `name` be due in `in_s` seconds, whatever it was before."""
        due_s = self._clock.monotonic_s() + max(0.0, in_s)
        self._due_s[name] = due_s
        if not self._heap or due_s < self._heap[0][0]:
            self._is_earlier.set()
        heapq.heappush(self._heap, (due_s, name))
        if len(self._heap) > 2 * len(self._due_s) + SPARE_ENTRIES:
            self._heap = [(at_s, live) for live, at_s in self._due_s.items()]
            heapq.heapify(self._heap)

    def cancel(self, name: str) -> None:
        """`name` is due no more; nothing happens when it was not."""
        self._due_s.pop(name, None)

    async def due(self) -> list[str]:
        """Wait until at least one name is due; each is given once."""
        while True:
            if names := self._take_due():
                return names
            self._is_earlier.clear()
            await self._sleep()

    def _take_due(self) -> list[str]:
        now_s = self._clock.monotonic_s()
        names = []
        while self._heap and self._heap[0][0] <= now_s:
            at_s, name = heapq.heappop(self._heap)
            if self._due_s.get(name) == at_s:
                del self._due_s[name]
                names.append(name)
        return names

    async def _sleep(self) -> None:
        if not self._heap:
            await self._is_earlier.wait()
            return
        sleeper = asyncio.ensure_future(self._clock.sleep(self._heap[0][0] - self._clock.monotonic_s()))
        earlier = asyncio.ensure_future(self._is_earlier.wait())
        try:
            await asyncio.wait({sleeper, earlier}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            earlier.cancel()
