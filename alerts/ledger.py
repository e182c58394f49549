"""The ledger: alerts this process owns and the outbox, in one local SQLite file. In: changes; out: after the fsync.

Functions given to `apply` run one after another on one writer thread; all that wait share a transaction (group
commit), each in a savepoint of its own. A full queue makes callers wait. `apply` raises what its function raised, and
`UnavailableError` when the disk does not take the commit: then nothing of that change happened.
"""

import asyncio
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from alerts.ledger_pruning import Pruner
from alerts.ledger_tables import not_writable, open_ledger_file
from alerts.ledger_txn import LedgerTxn
from runtime import metrics
from runtime.clock import Clock, SystemClock
from runtime.errors import SharpEyesError, UnavailableError
from runtime.log import get_logger

MAX_WAITING = 2048
"""Changes that wait for the writer before callers have to: under half a second of work at full load."""

MAX_BATCH = 256
"""Changes in one commit: enough to make the fsync cheap, few enough that the first does not wait long for the last."""

PRUNE_EVERY_S = 60.0

T = TypeVar("T")
_log = get_logger(__name__)


@dataclass(slots=True)
class _Change(Generic[T]):
    fn: Callable[[LedgerTxn], T]
    done: "asyncio.Future[T]"
    result: T | None = None
    error: BaseException | None = None


class Ledger:
    """`async with Ledger(path, owner) as ledger: await ledger.apply(fn)`."""

    def __init__(self, path: Path, owner: str, clock: Clock | None = None) -> None:
        self.path = path
        self.owner = owner
        self.outbox_filled = asyncio.Event()
        """Set after a commit that queued messages; whoever drains the outbox clears it."""
        self._clock = clock or SystemClock()
        self._queue: deque[_Change[Any]] = deque()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._wake = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._sql: sqlite3.Connection | None = None
        self._pruner = Pruner()
        self._next_prune_s = 0.0

    async def __aenter__(self) -> "Ledger":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open or make the file; raises UnavailableError or ConfigurationError when it cannot be used."""
        self._loop = asyncio.get_running_loop()
        self._sql = await asyncio.to_thread(open_ledger_file, self.path)
        self._is_closing = False
        self._thread = threading.Thread(target=self._write, name="ledger-writer", daemon=True)
        self._thread.start()
        self.outbox_filled.set()

    async def close(self) -> None:
        """Finish what waits and close the file."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_closing = True
        self._wake.set()
        await asyncio.to_thread(thread.join)

    async def apply(self, fn: Callable[[LedgerTxn], T]) -> T:
        """Run `fn` on the writer thread and return its result once its changes are on the disk.

        `fn` must be quick and touch nothing but its LedgerTxn. An exception undoes this change alone. Cancelling the
        caller does not undo it.
        """
        self._refuse_when_closed()
        await self._room.acquire()
        try:
            self._refuse_when_closed()  # perhaps while this change waited: nobody would ever write it
        except UnavailableError:
            self._room.release()
            raise
        change: _Change[T] = _Change(fn, self._loop.create_future())
        self._queue.append(change)
        self._wake.set()
        return await change.done

    def _refuse_when_closed(self) -> None:
        if self._thread is None:
            raise UnavailableError(f"{self.path}: the ledger is closed")

    # Below here: the writer thread.

    def _write(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]
                filled = self._commit_safely(batch)
                self._loop.call_soon_threadsafe(self._settle, batch, filled)
            if self._is_closing and not self._queue:
                break
        if self._sql is not None:
            self._sql.close()
            self._sql = None

    def _commit_safely(self, batch: list[_Change[Any]]) -> bool:
        try:
            return self._commit(batch)
        except Exception as error:  # noqa: BLE001 - supervision: a dead writer would leave every caller waiting
            _log.error("ledger writer failed", path=str(self.path), exc_info=error)
            self._fail(batch, UnavailableError(f"{self.path}: the ledger failed: {error}"))
            return False

    def _commit(self, batch: list[_Change[Any]]) -> bool:
        """Run a batch in one transaction; True when it queued messages."""
        try:
            if self._sql is None:
                self._sql = open_ledger_file(self.path)
            self._sql.execute("BEGIN IMMEDIATE")
            made = [txn for change in batch if (txn := self._run(self._sql, change))]
            self._sql.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(batch, not_writable(self.path, error))
            return False
        except SharpEyesError as error:
            self._fail(batch, error)
            return False
        self._count(made)
        self._prune(self._sql)
        return any(txn.queued for txn in made)

    def _run(self, sql: sqlite3.Connection, change: _Change[Any]) -> LedgerTxn | None:
        txn = LedgerTxn(sql, self.owner, self._clock)
        sql.execute("SAVEPOINT change")
        try:
            change.result = change.fn(txn)
        except sqlite3.OperationalError:
            raise  # the disk, not the change: the whole batch fails
        except Exception as error:  # noqa: BLE001 - given to the caller of `apply`; others' changes go on
            change.error = error
            sql.execute("ROLLBACK TO change")
            sql.execute("RELEASE change")
            return None
        sql.execute("RELEASE change")
        return txn

    def _fail(self, batch: list[_Change[Any]], error: SharpEyesError) -> None:
        _log.error("ledger commit failed", path=str(self.path), changes=len(batch), reason=str(error))
        for change in batch:
            change.result, change.error = None, error
        if self._sql is not None:  # a connection that failed is made anew: after some errors SQLite keeps it broken
            self._sql.close()
            self._sql = None

    def _count(self, made: list[LedgerTxn]) -> None:
        revisions = Counter(revision for txn in made for revision in txn.revisions)
        for (kind, change), count in revisions.items():
            metrics.alert_revisions.labels(kind, change).inc(count)

    def _prune(self, sql: sqlite3.Connection) -> None:
        if self._clock.monotonic_s() < self._next_prune_s:
            return
        try:
            more = self._pruner.step(sql, self._clock.now_ns())
        except sqlite3.Error as error:
            _log.warning("ledger could not be pruned", path=str(self.path), reason=str(error))
            more = False
        self._next_prune_s = self._clock.monotonic_s() + (0.0 if more else PRUNE_EVERY_S)

    # Back on the loop.

    def _settle(self, batch: list[_Change[Any]], filled: bool) -> None:
        for change in batch:
            self._room.release()
            if change.done.done():
                continue
            if change.error is None:
                change.done.set_result(change.result)
            else:
                change.done.set_exception(change.error)
        if filled:
            self.outbox_filled.set()
