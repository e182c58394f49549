"""Where events cross from the inference threads to the loop, once, and wait for the ledger.

`put` blocks the inference thread while MAX_WAITING events wait: an event is never dropped. `run` is the task that
turns them into alerts; a ledger that takes no commit is tried again, in order, for as long as it takes.
"""

import asyncio
import threading
from dataclasses import dataclass

from analytics.camera_alerts import CameraAlerts
from analytics.camera_pipeline import FrameResult
from analytics.events import Event
from devices.model import Camera
from ingest.packet import Frame
from runtime import metrics
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.errors import UnavailableError
from runtime.health import Health
from runtime.log import get_logger

MAX_WAITING = 64
"""Each holds a decoded frame, 3 MB at 1080p."""

DRAIN_S = 1.5
"""A ledger that takes nothing for this long at the end of the role takes nothing."""

PART = "ledger"

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Found:
    camera: Camera
    event: Event
    frame: Frame | None


class EventIntake:
    """Made on the loop."""

    def __init__(self, alerts: CameraAlerts, clock: Clock, health: Health) -> None:
        self._alerts = alerts
        self._clock = clock
        self._health = health
        self._room = threading.Semaphore(MAX_WAITING)
        self._found: asyncio.Queue[_Found] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._dealing: asyncio.Future[None] | None = None
        self._is_closed = False

    def put(self, camera: Camera, frame: Frame | None, result: FrameResult) -> None:
        """Hand over the events of one frame, from an inference thread."""
        for event in result.events:
            if not self._is_closed:
                self._room.acquire()
            try:
                self._loop.call_soon_threadsafe(self._found.put_nowait, _Found(camera, event, frame))
            except RuntimeError:  # the loop is closed: the process is ending
                return

    def close(self) -> None:
        """Let nobody wait in `put` any more: the threads are about to end, and `drain` takes what they still find."""
        self._is_closed = True
        self._room.release(MAX_WAITING)

    async def run(self) -> None:
        """Deal with events in order until cancelled, which leaves the one at hand to `drain`."""
        while True:
            found = await self._found.get()
            self._dealing = asyncio.ensure_future(self._deal_with(found))
            await asyncio.shield(self._dealing)
            self._room.release()

    async def drain(self) -> None:
        """At the end of the role: commit what has been found and not yet told, for at most DRAIN_S."""
        try:
            async with asyncio.timeout(DRAIN_S):
                if self._dealing is not None and not self._dealing.done():
                    await self._dealing
                while not self._found.empty():
                    await self._deal_with(self._found.get_nowait())
        except TimeoutError:
            _log.error("events not committed before the end", waiting=self._found.qsize())

    async def _deal_with(self, found: _Found) -> None:
        backoff = Backoff(0.2, 5.0)
        while True:
            try:
                await self._tell(found)
            except UnavailableError as error:
                self._health.unwell(PART, str(error), required=True)
                await self._clock.sleep(backoff.next_s())
            else:
                self._health.well(PART, required=True)
                return

    async def _tell(self, found: _Found) -> None:
        event = found.event
        if event.end_ns is not None:
            await self._alerts.ended(event)
        elif found.frame is not None:
            alert_id = await self._alerts.opened(found.camera, event, found.frame)
            metrics.events_found.labels(event.camera_id, event.rule.kind.value).inc()
            _log.info("alert", camera=event.camera_id, rule=event.rule.name, alert=alert_id)
