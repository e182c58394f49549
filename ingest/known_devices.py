"""The call boxes and sensors of the registry as a copy in memory, so that no press waits for the database.

`run` is its task: it reads the registry's revision every `CHECK_EVERY_S` in a thread and the records when it has
grown. While the database is away the last copy stands; before the first one, the health part says what is awaited.
Also the registry that `alerts.places` reads from. Devices that are switched off are left out.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alerts.contract import SiteRef
from alerts.places import site_path
from devices.model import CallBox, Sensor, Site
from runtime.clock import Clock
from runtime.errors import UnavailableError
from runtime.health import Health
from runtime.language import say
from runtime.log import get_logger

CHECK_EVERY_S = 2.0
"""A box that is registered on site works within this time."""

PART = "device registry"

_log = get_logger(__name__)


class DeviceRegistry(Protocol):
    """The part of `devices.registry.Registry` that is read here."""

    def revision(self) -> int: ...
    def sites(self) -> Sequence[Site]: ...
    def callboxes(self) -> Sequence[CallBox]: ...
    def sensors(self) -> Sequence[Sensor]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """One reading of the registry, by id."""

    revision: int = -1
    sites: Mapping[str, Site] = field(default_factory=dict)
    callboxes: Mapping[str, CallBox] = field(default_factory=dict)
    sensors: Mapping[str, Sensor] = field(default_factory=dict)

    def site_path(self, site_id: str) -> tuple[SiteRef, ...]:
        """The sites from the root of the grid tree down to this one."""
        return site_path(self.sites, site_id)


class KnownDevices:
    """`await ready()` once, then read `current` at any time."""

    def __init__(self, open_registry: Callable[[], DeviceRegistry], clock: Clock, health: Health) -> None:
        """`open_registry` blocks and may raise UnavailableError; it is called in a thread until it has succeeded."""
        self.current = Known()
        self._open_registry = open_registry
        self._registry: DeviceRegistry | None = None
        self._clock = clock
        self._health = health
        self._was_read = asyncio.Event()
        self._listeners: list[Callable[[Known], None]] = []
        health.unwell(PART, say(zh="尚未读取登记信息", en="the registry has not been read yet"), required=True)

    def on_change(self, listener: Callable[[Known], None]) -> None:
        """Call `listener` on the loop after each change of the copy, the first reading included."""
        self._listeners.append(listener)

    async def ready(self) -> None:
        """Wait until the registry has been read once."""
        await self._was_read.wait()

    async def run(self) -> None:
        """Keep the copy up to date for ever."""
        while True:
            await self.refresh()
            await self._clock.sleep(CHECK_EVERY_S)

    async def refresh(self) -> None:
        """Look once; a database that is away is noted in the health part."""
        try:
            if self._registry is None:
                self._registry = await asyncio.to_thread(self._open_registry)
            found = await asyncio.to_thread(_read, self._registry, self.current)
        except UnavailableError as error:
            was_read = self._was_read.is_set()
            if was_read:
                reason = say(zh=f"{error}；暂用已知的设备", en=f"{error}; going on with the devices known so far")
            else:
                reason = say(zh=f"{error}；还不知道任何设备", en=f"{error}; no device is known yet")
            self._health.unwell(PART, reason, required=not was_read)
            return
        self._health.well(PART, required=True)
        if found.revision != self.current.revision:
            self.current = found
            _log.info("devices read", callboxes=len(found.callboxes), sensors=len(found.sensors))
            for listener in self._listeners:
                listener(found)
        self._was_read.set()

    def close(self) -> None:
        """Close the registry if it was opened."""
        if self._registry is not None:
            self._registry.close()

    # What `alerts.places` asks of a registry, answered from the copy.

    def revision(self) -> int:
        return self.current.revision

    def sites(self) -> Sequence[Site]:
        return tuple(self.current.sites.values())

    def callboxes(self) -> Sequence[CallBox]:
        return tuple(self.current.callboxes.values())


def _read(registry: DeviceRegistry, known: Known) -> Known:
    revision = registry.revision()
    if revision == known.revision:
        return known
    return Known(
        revision,
        {site.site_id: site for site in registry.sites()},
        {box.callbox_id: box for box in registry.callboxes() if box.enabled},
        {sensor.sensor_id: sensor for sensor in registry.sensors() if sensor.enabled},
    )
