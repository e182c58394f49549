"""A worker's cameras follow the registry."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from console.roster import PART, POLL_S, Roster
from devices.model import (
    Camera,
    Credentials,
    PlaceType,
    Position,
    Purpose,
    RecordingMode,
    Secret,
    Site,
    SiteLevel,
    Transport,
)
from devices.registry import UnreadableCamera
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
        self.unreadable: list[UnreadableCamera] = []

    def become(self, *cameras: Camera) -> None:
        self.listed = list(cameras)
        self.number += 1

    def revision(self) -> int:
        if self.away:
            raise UnavailableError("the database is away")
        return self.number

    def cameras(self) -> list[Camera]:
        return self.listed

    def unreadable_cameras(self) -> list[UnreadableCamera]:
        return self.unreadable

    def sites(self) -> list[Site]:
        return [Site(site_id="village", name="Willow village", level=SiteLevel.VILLAGE)]


class Watcher:
    def __init__(self) -> None:
        self.log: list[str] = []

    async def start(self, camera: Camera) -> None:
        self.log.append(f"+{camera.camera_id}/{camera.name}")

    def rename(self, camera: Camera) -> None:
        self.log.append(f"={camera.camera_id}/{camera.name}@{camera.site_id}")

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
    registry.become(replace(YARD, name="Gate", detect_fps=2.0))
    await turn(["+yard/Yard", "-yard", "+yard/Gate"])
    registry.away = True
    await eventually(lambda: clock.advance(POLL_S) or not health.parts()[PART].well)
    assert health.is_ready(), "known cameras go on while the database is away"
    registry.away = False
    registry.become(*([] if camera_goes_by == "removal" else [replace(YARD, enabled=False)]))
    await turn(["+yard/Yard", "-yard", "+yard/Gate", "-yard"])
    task.cancel()


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"name": "Gate"}, ["=yard/Gate@village"]),
        ({"site_id": "town", "position": Position(latitude=30.0, longitude=120.0)}, ["=yard/Yard@town"]),
        ({"purpose": Purpose.TRAFFIC, "place_type": PlaceType.ROAD}, ["=yard/Yard@village"]),
        ({"main_url": "rtsp://camera.invalid/other"}, ["-yard", "+yard/Yard"]),
        ({"sub_url": "rtsp://camera.invalid/sub"}, ["-yard", "+yard/Yard"]),
        ({"credentials": Credentials("a", Secret("b"))}, ["-yard", "+yard/Yard"]),
        ({"transport": Transport.UDP}, ["-yard", "+yard/Yard"]),
        ({"recording": RecordingMode.CONTINUOUS}, ["-yard", "+yard/Yard"]),
        ({"model": "other", "name": "Gate"}, ["-yard", "+yard/Gate"]),
    ],
)
async def test_a_camera_restarts_only_for_what_its_stream_or_analysis_depends_on(
    change: dict[str, Any], seen: list[str]
) -> None:
    registry, watcher, clock = RegistryStub(), Watcher(), FakeClock()
    roster = Roster(lambda: registry, clock, Health())  # type: ignore[arg-type,return-value]
    task = asyncio.create_task(roster.follow(watcher))
    registry.become(YARD)
    await eventually(lambda: clock.sleepers == 1)
    registry.become(replace(YARD, **change))
    clock.advance(POLL_S)
    await eventually(lambda: watcher.log == ["+yard/Yard", *seen], what=f"{seen} in place of {watcher.log}")
    registry.number += 1
    clock.advance(POLL_S)
    await eventually(lambda: clock.sleepers == 1)
    assert watcher.log == ["+yard/Yard", *seen], "what has been taken up is not a change any more"
    task.cancel()


async def test_a_worker_without_a_registry_at_its_start_is_not_ready() -> None:
    registry, watcher, clock, health = RegistryStub(), Watcher(), FakeClock(), Health()
    registry.away = True
    roster = Roster(lambda: registry, clock, health)  # type: ignore[arg-type,return-value]
    task = asyncio.create_task(roster.follow(watcher))
    await eventually(lambda: PART in health.parts())
    assert not health.is_ready()
    task.cancel()


async def test_a_camera_whose_login_cannot_be_decrypted_is_told_and_the_others_are_watched() -> None:
    registry, watcher, clock, health = RegistryStub(), Watcher(), FakeClock(), Health()
    roster = Roster(lambda: registry, clock, health)  # type: ignore[arg-type,return-value]
    told: list[str] = []
    kept: list[frozenset[str]] = []
    roster.on_change(kept.append)
    roster.on_unreadable(told.append)
    registry.unreadable = [UnreadableCamera("hurt", True, "wrong key"), UnreadableCamera("off", False, "wrong key")]
    registry.become(YARD)
    task = asyncio.create_task(roster.follow(watcher))
    await eventually(lambda: clock.sleepers == 1)
    assert (watcher.log, told, kept) == (["+yard/Yard"], ["hurt"], [{"yard", "hurt"}])
    registry.unreadable.append(UnreadableCamera("yard", True, "damaged"))
    registry.become()
    clock.advance(POLL_S)
    await eventually(lambda: len(kept) == 2)
    assert (watcher.log[-1], told[1:], kept[1]) == ("-yard", ["hurt", "yard"], {"yard", "hurt"})
    task.cancel()
