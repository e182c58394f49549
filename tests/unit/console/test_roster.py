"""A worker's cameras follow the registry."""

import asyncio
from dataclasses import replace

import pytest

from console.roster import PART, POLL_S, Roster
from devices.model import Camera, PlaceType, Purpose, Site, SiteLevel
from runtime.clock import FakeClock
from runtime.errors import UnavailableError
from runtime.health import Health
from tests.waiting import eventually

YARD = Camera(
    camera_id="yard",
    name="Yard",
    site_id="village",
    main_url="rtsp://camera.invalid/main",
    purpose=Purpose.PUBLIC_SAFETY,
    place_type=PlaceType.SQUARE,
)


class RegistryStub:
    def __init__(self) -> None:
        self.listed: list[Camera] = []
        self.number = 0
        self.away = False

    def become(self, *cameras: Camera) -> None:
        self.listed = list(cameras)
        self.number += 1

    def revision(self) -> int:
        if self.away:
            raise UnavailableError("the database is away")
        return self.number

    def cameras(self) -> list[Camera]:
        return self.listed

    def sites(self) -> list[Site]:
        return [Site(site_id="village", name="Willow village", level=SiteLevel.VILLAGE)]


class Watcher:
    def __init__(self) -> None:
        self.log: list[str] = []

    async def start(self, camera: Camera) -> None:
        self.log.append(f"+{camera.camera_id}/{camera.name}")

    async def stop(self, camera_id: str) -> None:
        self.log.append(f"-{camera_id}")


@pytest.mark.parametrize("camera_goes_by", ["removal", "being disabled"])
async def test_cameras_come_change_and_go_with_the_registry(camera_goes_by: str) -> None:
    registry, watcher, clock, health = RegistryStub(), Watcher(), FakeClock(), Health()
    roster = Roster(lambda: registry, clock, health)  # type: ignore[arg-type,return-value]
    task = asyncio.create_task(roster.follow(watcher))

    async def turn(seen: list[str]) -> None:
        async def is_seen() -> bool:
            clock.advance(POLL_S)
            return watcher.log == seen

        await eventually(is_seen, what=f"{seen} in place of {watcher.log}")

    registry.become(YARD)
    await turn(["+yard/Yard"])
    assert [site.name for site in roster.site_path("village")] == ["Willow village"]
    registry.become(replace(YARD, name="Gate"))
    await turn(["+yard/Yard", "-yard", "+yard/Gate"])
    registry.away = True
    await eventually(lambda: clock.advance(POLL_S) or not health.parts()[PART].well)
    assert health.is_ready(), "known cameras go on while the database is away"
    registry.away = False
    registry.become(*([] if camera_goes_by == "removal" else [replace(YARD, enabled=False)]))
    await turn(["+yard/Yard", "-yard", "+yard/Gate", "-yard"])
    task.cancel()


async def test_a_worker_without_a_registry_at_its_start_is_not_ready() -> None:
    registry, watcher, clock, health = RegistryStub(), Watcher(), FakeClock(), Health()
    registry.away = True
    roster = Roster(lambda: registry, clock, health)  # type: ignore[arg-type,return-value]
    task = asyncio.create_task(roster.follow(watcher))
    await eventually(lambda: PART in health.parts())
    assert not health.is_ready()
    task.cancel()
