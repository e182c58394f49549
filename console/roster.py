"""The cameras a worker watches, kept equal to the registry's: polled, so that one registered on site appears at once.

One task on the loop; reads the registry in a thread. A registry that is away changes nothing: what is known goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable

from devices.model import Camera
from devices.registry import Registry
from runtime.clock import Clock
from runtime.errors import UnavailableError
from runtime.health import Health
from runtime.log import get_logger

POLL_S = 1.0
PART = "registry"

_log = get_logger(__name__)


class Roster:
    """`start(camera)` and `stop(camera_id)` are called for each difference; a changed camera is stopped and started."""

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        health: Health,
        *,
        start: Callable[[Camera], Awaitable[None]],
        stop: Callable[[str], Awaitable[None]],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._health = health
        self._start = start
        self._stop = stop
        self._known: dict[str, Camera] = {}
        self._revision = -1

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            try:
                await self._refresh()
                self._health.well(PART, required=True)
            except UnavailableError as error:
                self._health.unwell(PART, str(error), required=not self._known)
            await self._clock.sleep(POLL_S)

    async def _refresh(self) -> None:
        revision = await asyncio.to_thread(self._registry.revision)
        if revision == self._revision:
            return
        cameras = await asyncio.to_thread(self._registry.cameras)
        await self._become({camera.camera_id: camera for camera in cameras if camera.enabled})
        self._revision = revision

    async def _become(self, wanted: dict[str, Camera]) -> None:
        for camera_id in [name for name, camera in self._known.items() if wanted.get(name) != camera]:
            del self._known[camera_id]
            await self._stop(camera_id)
        for camera_id, camera in wanted.items():
            if camera_id not in self._known:
                await self._start(camera)
                self._known[camera_id] = camera
