"""Spool to object store, one file after the other, for ever: what alerts wait for first, then segments.

A thread of its own does the blocking work; `on_stored` and `on_lost` run on the asyncio loop that called `run`. A
file leaves the spool only after its callback has returned, so a restart at any instant repeats at most one. When
the store is away the whole queue waits: one jittered, growing delay (`runtime.backoff`) for all of it and not a retry
per file, as stamina would do, because a store that is away is away for the next. A file refused for good is lost alone.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import suppress
from typing import Any

from ingest.object_key import ObjectKind
from ingest.object_store import ObjectStore
from ingest.packet import Clip
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime import metrics
from runtime.backoff import Backoff
from runtime.errors import InvalidInputError, NotFoundError, SharpEyesError, UnavailableError
from runtime.health import Health
from runtime.log import get_logger

HEALTH_PART = "object store"
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0

IDLE_S = 2.0
"""A lost wake-up costs this long."""

_log = get_logger(__name__)

OnStored = Callable[[Clip, tuple[str, ...]], Awaitable[None]]
"""The clip is in the object store; these alerts have it. At least once for each clip."""

OnLost = Callable[[str, tuple[str, ...], str], Awaitable[None]]
"""(clip id, alert ids, why): there will be no such clip. At least once for each."""


class Uploader:
    """See the module."""

    def __init__(
        self,
        spool: Spool,
        store: ObjectStore,
        on_stored: OnStored,
        on_lost: OnLost,
        health: Health | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._spool = spool
        self._store = store
        self._on_stored = on_stored
        self._on_lost = on_lost
        self._health = health or Health()
        self._backoff = backoff or Backoff(FIRST_DELAY_S, MAX_DELAY_S)
        self._wake = threading.Event()
        spool.listen(self._wake.set)

    async def run(self) -> None:
        """Upload until cancelled, which leaves at once: a call to the store that hangs ends by itself."""
        run = _Run(asyncio.get_running_loop())
        threading.Thread(target=self._work, args=(run,), name="uploader", daemon=True).start()
        try:
            await run.ended
        finally:
            run.stopping.set()
            self._wake.set()

    def _work(self, run: "_Run") -> None:
        try:
            while not run.stopping.is_set():
                self._wake.clear()
                delay_s = self._round(run)
                if delay_s > 0:
                    run.stopping.wait(delay_s)
                else:
                    self._wake.wait(IDLE_S)
        except FutureCancelledError:
            run.end(None)  # the loop is ending
        except Exception as error:  # noqa: BLE001 - supervision: the task that awaits the run fails with it
            run.end(error)
        else:
            run.end(None)

    def _round(self, run: "_Run") -> float:
        """Deal with all that waits; the seconds to wait after a failure, 0.0 when all went well."""
        try:
            self._tell_all_lost(run)
            self._spool.open()
            if self._backoff.failures:
                self._store.check()
            while waiting := self._spool.waiting():
                for record in waiting:
                    if run.stopping.is_set():
                        return 0.0
                    self._deal_with(record, run.loop)
        except UnavailableError as error:
            return self._fail(str(error))
        self._backoff.reset()
        self._health.well(HEALTH_PART)
        return 0.0

    def _tell_all_lost(self, run: "_Run") -> None:
        """First, because it needs neither the spool's disk nor the store, and people wait for a clip in vain."""
        for record in self._spool.waiting():
            if record.lost and not run.stopping.is_set():
                self._await(self._tell_lost(record, record.lost), run.loop)
                with suppress(UnavailableError):  # what stays on a disk that refuses is told again by the next start
                    self._spool.discard(record)

    def _fail(self, reason: str) -> float:
        if self._backoff.failures == 0:
            _log.warning("upload failed, tried again for ever", reason=reason)
        self._health.unwell(HEALTH_PART, reason)
        metrics.uploads_failed.inc()
        return self._backoff.next_s()

    def _deal_with(self, record: SpoolRecord, loop: asyncio.AbstractEventLoop) -> None:
        try:
            is_stored = not record.lost and self._upload(record)
        except InvalidInputError as error:
            _log.error("object refused for good, lost", key=record.key, reason=str(error))
            self._spool.lose(record, str(error))  # waits now as a lost one
            return
        if record.lost:
            self._await(self._tell_lost(record, record.lost), loop)
        elif is_stored:
            if record.kind is ObjectKind.CLIP:
                self._await(self._tell_stored(record), loop)
        elif not record.may_be_dropped:
            self._await(self._tell_lost(record, "its file has vanished from the spool"), loop)
        self._spool.discard(record)

    def _upload(self, record: SpoolRecord) -> bool:
        """False when the file is gone: a segment that had to make room, or a hand that tidied up."""
        path = self._spool.path(record)
        try:
            self._store.put_file(record.key, path, record.kind.content_type, record.sha256)
        except NotFoundError as error:
            _log.warning("not uploaded", key=record.key, reason=str(error))
            return False
        self._backoff.reset()
        self._health.well(HEALTH_PART)
        return True

    async def _tell_stored(self, record: SpoolRecord) -> None:
        await self._on_stored(record.clip(), record.alert_ids)
        metrics.clips_stored.inc()

    async def _tell_lost(self, record: SpoolRecord, reason: str) -> None:
        if record.kind is ObjectKind.CLIP:
            await self._on_lost(record.object_id, record.alert_ids, reason)

    def _await(self, work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        try:
            asyncio.run_coroutine_threadsafe(work, loop).result()
        except SharpEyesError as error:
            # The alert's keeper cannot take it now, such as a ledger whose disk is full: the file stays, tried again.
            raise UnavailableError(f"the clip's alert cannot be revised: {error}") from error


class _Run:
    """One call of `run`: its loop, how it is told to stop, and how it says that its thread has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.stopping = threading.Event()
        self.ended: asyncio.Future[None] = loop.create_future()

    def end(self, failure: Exception | None) -> None:
        """Called by the thread as its last act."""
        with suppress(RuntimeError):  # the loop may be closed by now
            self.loop.call_soon_threadsafe(self._end, failure)

    def _end(self, failure: Exception | None) -> None:
        if self.ended.done():
            return
        if failure is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(failure)
