"""The bus on one SQLite file in the data folder, for `sharpeyes up`; several processes may use it at once.

Runs on the loop; the file is used on one thread of its own. A publication wakes subscribers of this process at once
and those of others within POLL_S. One partition; one member a group at a time. Raises `UnavailableError` when the
disk cannot be written, `InvalidInputError` for a message that is too large.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from alerts.bus import Message, Received, check_size
from alerts.bus_file import BusFile
from runtime.clock import Clock, SystemClock
from runtime.errors import UnavailableError
from runtime.language import say
from runtime.log import get_logger

POLL_S = 0.2
"""How soon what another process published is seen."""

T = TypeVar("T")
_log = get_logger(__name__)


class EmbeddedBus:
    """`EmbeddedBus(data / "bus.db")`."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._file: BusFile | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._poller: asyncio.Task[None] | None = None
        self._published = asyncio.Condition()
        self._publications = 0

    async def start(self) -> None:
        """Open or make the file."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedded-bus")
        try:
            await self.run(lambda file: None)
        except UnavailableError as error:
            _log.warning("embedded bus cannot be opened yet", reason=str(error))
        self._poller = asyncio.create_task(self._watch_other_processes(), name="embedded-bus-poll")

    async def stop(self) -> None:
        """Close the file."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
            self._thread.shutdown()
            self._thread = None

    async def publish(self, messages: Sequence[Message]) -> None:
        """Store the messages in one transaction."""
        for message in messages:
            check_size(message)
        now_ns = self._clock.now_ns()
        await self.run(lambda file: file.append(messages, now_ns))
        await self._wake()

    def subscribe(self, topic: str, group: str, *, from_latest: bool = False) -> "EmbeddedSubscription":
        """Take part in `group`; see `alerts.bus.Bus`."""
        return EmbeddedSubscription(self, topic, group, from_latest)

    async def run(self, fn: Callable[[BusFile], T]) -> T:
        """Run `fn` on the file's thread; raises UnavailableError when the file cannot be used."""
        if self._thread is None:
            raise UnavailableError(
                say(zh=f"{self._path}：内置总线已停止", en=f"{self._path}: the embedded bus is stopped")
            )
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._use, fn)

    async def published_after(self, seen: int) -> int:
        """Wait until there was a publication after number `seen` of this process; returns the newest number."""
        async with self._published:
            await self._published.wait_for(lambda: self._publications > seen)
            return self._publications

    @property
    def publications(self) -> int:
        """Counts what woke subscribers; only for `published_after`."""
        return self._publications

    async def _wake(self) -> None:
        async with self._published:
            self._publications += 1
            self._published.notify_all()

    async def _watch_other_processes(self) -> None:
        known = -1
        while True:
            await asyncio.sleep(POLL_S)
            try:
                version = await self.run(lambda file: file.data_version())
            except UnavailableError:
                continue
            if version != known:
                known = version
                await self._wake()

    # Below here: on the file's thread.

    def _use(self, fn: Callable[[BusFile], T]) -> T:
        try:
            if self._file is None:
                self._file = BusFile(self._path)
            return fn(self._file)
        except (OSError, sqlite3.Error) as error:
            self._close()
            raise UnavailableError(
                say(
                    zh=f"{self._path} 无法使用（{error}）：请让数据目录可写，并腾出磁盘空间",
                    en=f"{self._path} cannot be used ({error}): make the data folder writable and free disk space",
                )
            ) from None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class EmbeddedSubscription:
    """See `alerts.bus.Subscription`."""

    def __init__(self, bus: EmbeddedBus, topic: str, group: str, from_latest: bool) -> None:
        self._bus = bus
        self._topic = topic
        self._group = group
        self._from_latest = from_latest
        self._position = 0

    async def __aenter__(self) -> "EmbeddedSubscription":
        self._position = await self._bus.run(
            lambda file: file.position(self._topic, self._group, from_latest=self._from_latest)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def receive(self, max_messages: int = 500) -> Sequence[Received]:
        """Wait for messages after those already received."""
        while True:
            seen = self._bus.publications
            found = await self._bus.run(
                partial(BusFile.after, topic=self._topic, number=self._position, limit=max_messages)
            )
            if found:
                self._position = found[-1].offset
                return found
            await self._bus.published_after(seen)

    async def commit(self) -> None:
        """Store the position of the group."""
        await self._bus.run(partial(BusFile.commit, topic=self._topic, group=self._group, number=self._position))
