"""The cameras a worker watches, kept equal to the registry's: polled, so that one registered on site appears at once.

A camera is stopped and started only for what its stream or analysis depends on; a new name or place is taken up under
way. One task on the loop; opens and reads the registry in a thread. A registry that is away is waited for at the start
and changes nothing later: what is known goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from alerts.contract import SiteRef
from alerts.places import site_path
from devices.model import Camera, Site
from devices.registry import Registry, UnreadableCamera
from runtime.clock import Clock
from runtime.errors import UnavailableError
from runtime.health import Health
from runtime.log import get_logger

POLL_S = 1.0
PART = "registry"

_log = get_logger(__name__)


class Fleet(Protocol):
    """Who watches the cameras."""

    async def start(self, camera: Camera) -> None: ...
    def rename(self, camera: Camera) -> None:
        """Take up what a watched camera is called and where it is, for new alerts."""

    async def stop(self, camera_id: str) -> None: ...


class Roster:
    """`open_registry` blocks and may raise UnavailableError; it is called until it has succeeded once."""

    def __init__(self, open_registry: Callable[[], Registry], clock: Clock, health: Health) -> None:
        self._open_registry = open_registry
        self._clock = clock
        self._health = health
        self._registry: Registry | None = None
        self._known: dict[str, Camera] = {}
        self._sites: dict[str, Site] = {}
        self._revision = -1
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._unreadable_listeners: list[Callable[[str], None]] = []
        health.unwell(PART, "the registry has not been read yet", required=True)

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call `listener(camera ids)` after each change; those that cannot be read are among them."""
        self._listeners.append(listener)

    def on_unreadable(self, listener: Callable[[str], None]) -> None:
        """Call `listener(camera id)` at each change for every camera whose login cannot be decrypted."""
        self._unreadable_listeners.append(listener)

    def site_path(self, site_id: str) -> tuple[SiteRef, ...]:
        """The sites from the root of the grid tree down to this one, as last read."""
        return site_path(self._sites, site_id)

    async def follow(self, fleet: Fleet) -> None:
        """Poll until cancelled."""
        while True:
            try:
                await self._refresh(fleet)
                self._health.well(PART, required=True)
            except UnavailableError as error:
                self._health.unwell(PART, str(error), required=not self._known)
            await self._clock.sleep(POLL_S)

    def close(self) -> None:
        """Close the registry, if it was ever opened."""
        if self._registry is not None:
            self._registry.close()

    async def _refresh(self, fleet: Fleet) -> None:
        if self._registry is None:
            self._registry = await asyncio.to_thread(self._open_registry)
        revision = await asyncio.to_thread(self._registry.revision)
        if revision == self._revision:
            return
        sites = await asyncio.to_thread(self._registry.sites)
        cameras = await asyncio.to_thread(self._registry.cameras)
        unreadable = await asyncio.to_thread(self._registry.unreadable_cameras)
        self._sites = {site.site_id: site for site in sites}
        await self._become({camera.camera_id: camera for camera in cameras if camera.enabled}, fleet)
        self._revision = revision
        self._tell([camera for camera in unreadable if camera.enabled])

    def _tell(self, unreadable: Sequence[UnreadableCamera]) -> None:
        for listener in self._listeners:
            listener(frozenset(self._known) | {camera.camera_id for camera in unreadable})
        for camera in unreadable:
            _log.error("camera not watched", camera=camera.camera_id, reason=camera.reason)
            for tell_of in self._unreadable_listeners:
                tell_of(camera.camera_id)

    async def _become(self, wanted: dict[str, Camera], fleet: Fleet) -> None:
        for camera_id in [name for name, camera in self._known.items() if not _goes_on(camera, wanted.get(name))]:
            del self._known[camera_id]
            await fleet.stop(camera_id)
        for camera_id, camera in wanted.items():
            if camera_id not in self._known:
                await fleet.start(camera)
            elif camera != self._known[camera_id]:
                fleet.rename(camera)
            self._known[camera_id] = camera


def _goes_on(known: Camera, wanted: Camera | None) -> bool:
    """Whether a watched camera can go on as it is: what differs, if anything, is only what alerts say of it."""
    if wanted is None:
        return False
    return known == replace(
        wanted,
        name=known.name,
        site_id=known.site_id,
        position=known.position,
        purpose=known.purpose,
        place_type=known.place_type,
    )
