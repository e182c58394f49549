"""Where a device stands: its name and the sites above it, from a copy of the registry in memory.

Runs on the loop; reads the registry in a thread. The copy is checked every CHECK_EVERY_S seconds while it is used, in
the background, so a press never waits for the database and goes on while it is away. Raises `NotFoundError` for a
device that is not registered, `UnavailableError` when the registry was never read.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alerts.contract import SiteRef
from devices.model import CallBox, DeviceKind, Site
from devices.site_tree import path_of
from runtime.clock import Clock
from runtime.errors import NotFoundError, SharpEyesError
from runtime.language import say
from runtime.log import get_logger

CHECK_EVERY_S = 2.0
"""A box that was just registered or renamed is known within this time."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A device and the sites above it, from the root to its own."""

    device_id: str
    device_kind: DeviceKind
    name: str
    sites: tuple[SiteRef, ...]


class PlaceRegistry(Protocol):
    """The part of `devices.registry.Registry` that is read here."""

    def revision(self) -> int: ...
    def sites(self) -> Sequence[Site]: ...
    def callboxes(self) -> Sequence[CallBox]: ...


@dataclass(slots=True)
class _Copy:
    revision: int = -1
    callboxes: dict[str, Place] = field(default_factory=dict)


class Places:
    """The call boxes of the registry with their sites."""

    def __init__(self, registry: PlaceRegistry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._copy = _Copy()
        self._checked_s: float | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def callbox(self, callbox_id: str) -> Place:
        """The place of a call box; one that is unknown so far is looked up in the registry first."""
        place = self._copy.callboxes.get(callbox_id)
        if place is None:
            await asyncio.shield(self._refresh())
            place = self._copy.callboxes.get(callbox_id)
        elif self._is_due():
            self._refresh()
        if place is None:
            raise NotFoundError(
                say(
                    zh=f"呼叫盒 {callbox_id} 未登记；请先用 sharpeyes callbox add 登记",
                    en=f"call box {callbox_id} is not registered; register it with sharpeyes callbox add",
                )
            )
        return place

    def _is_due(self) -> bool:
        return self._checked_s is None or self._clock.monotonic_s() - self._checked_s >= CHECK_EVERY_S

    def _refresh(self) -> "asyncio.Task[None]":
        if self._refreshing is None or self._refreshing.done():
            self._checked_s = self._clock.monotonic_s()
            self._refreshing = asyncio.create_task(self._read(), name="places-refresh")
            self._refreshing.add_done_callback(_log_failure)
        return self._refreshing

    async def _read(self) -> None:
        self._copy = await asyncio.to_thread(_read_copy, self._registry, self._copy)


def _log_failure(task: "asyncio.Task[None]") -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, SharpEyesError):
        _log.warning("registry could not be read, going on with the copy", reason=str(error))


def _read_copy(registry: PlaceRegistry, known: _Copy) -> _Copy:
    revision = registry.revision()
    if revision == known.revision:
        return known
    sites = {site.site_id: site for site in registry.sites()}
    boxes = {
        box.callbox_id: Place(box.callbox_id, DeviceKind.CALLBOX, box.name, path)
        for box in registry.callboxes()
        if (path := site_path(sites, box.site_id))
    }
    return _Copy(revision, boxes)


def site_path(sites: Mapping[str, Site], site_id: str) -> tuple[SiteRef, ...]:
    """The sites from the root of the grid tree down to this one; empty when it is unknown."""
    if site_id not in sites:
        return ()
    return tuple(SiteRef(site_id=site.site_id, name=site.name, level=site.level) for site in path_of(sites, site_id))
