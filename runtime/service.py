"""Supervised tasks: every long-running task of a role has a name, an owner and a stated rule for when it dies.

`Service.run` returns after `stop`, or raises `ServiceFailedError` as soon as a task without a restart rule dies.
A graceful stop waits `stop_timeout_s` for tasks to end after they were cancelled, then leaves them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.errors import SharpEyesError
from runtime.log import get_logger

STOP_TIMEOUT_S = 4.0
"""Under the five seconds a person waits after Ctrl-C."""

STEADY_AFTER_S = 60.0
"""A restarted task that ran this long starts again from the shortest delay."""

_log = get_logger(__name__)


class ServiceFailedError(SharpEyesError):
    """A task that nothing restarts has ended, so the role cannot do its work."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The rule for a task that may die: try again after a jittered delay, for ever."""

    first_s: float = 0.5
    max_s: float = 30.0


class Service:
    """A set of supervised tasks that live and end together."""

    def __init__(self, name: str, *, clock: Clock | None = None, stop_timeout_s: float = STOP_TIMEOUT_S) -> None:
        self.name = name
        self._clock = clock or SystemClock()
        self._stop_timeout_s = stop_timeout_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: ServiceFailedError | None = None

    def spawn(
        self, name: str, work: Callable[[], Awaitable[None]], *, restart: Restart | None = None
    ) -> asyncio.Task[None]:
        """Run `work()` as a task of this service. Without `restart`, its end by an error ends the service."""
        runner = self._restarted(name, work, restart) if restart else self._fatal(name, work)
        task = asyncio.create_task(runner, name=f"{self.name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.is_stopping:
            task.cancel()  # the tasks of a service end together, also those that come too late
        return task

    def stop(self) -> None:
        """Ask `run` to end; safe to call more than once, from the loop's thread."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def run(self) -> None:
        """Wait for `stop` or a fatal task, then cancel what still runs."""
        try:
            await self._stopping.wait()
        finally:
            await self._cancel_all()
        if self._failure:
            raise self._failure

    async def _cancel_all(self) -> None:
        self._stopping.set()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._stop_timeout_s)
            for task in late:
                _log.warning("task did not end in time", service=self.name, task=task.get_name())

    async def _fatal(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await _run_once(work)
        except Exception as error:  # noqa: BLE001 - supervision: the one place where any end of a task is seen
            _log.error("task died, stopping", service=self.name, task=name, exc_info=error)
            self._failure = ServiceFailedError(f"{self.name}: task '{name}' died: {error}")
            self._failure.__cause__ = error
            self._stopping.set()

    async def _restarted(self, name: str, work: Callable[[], Awaitable[None]], rule: Restart) -> None:
        backoff = Backoff(rule.first_s, rule.max_s)
        while not self._stopping.is_set():
            started_s = self._clock.monotonic_s()
            try:
                await _run_once(work)
            except Exception as error:  # noqa: BLE001 - supervision: restarted by the stated rule
                if self._clock.monotonic_s() - started_s > STEADY_AFTER_S:
                    backoff.reset()
                delay_s = backoff.next_s()
                trace = None if isinstance(error, SharpEyesError) else error
                _log.warning(
                    "task died, restarting",
                    service=self.name,
                    task=name,
                    reason=str(error),
                    delay_s=round(delay_s, 2),
                    exc_info=trace,
                )
                await self._clock.sleep(delay_s)
            else:
                return


async def _run_once(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work()`; a cancellation that nobody asked this task for is a death like any other, not a quiet end."""
    try:
        await work()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("something it waited for was cancelled") from error
