"""Where a call box stands, from a copy of the registry that outlives the registry."""

from collections.abc import Sequence

import pytest

from alerts.places import CHECK_EVERY_S, Places
from devices.model import CallBox, Site, SiteLevel
from runtime.clock import FakeClock
from runtime.errors import NotFoundError, UnavailableError
from tests.waiting import eventually


class Registry:
    def __init__(self) -> None:
        self.number = 1
        self.is_away = False
        self.reads = 0
        self.boxes = {"box-1": "张家"}

    def revision(self) -> int:
        if self.is_away:
            raise UnavailableError("database away")
        return self.number

    def sites(self) -> Sequence[Site]:
        return [
            Site(site_id="v", name="村", level=SiteLevel.VILLAGE, parent_id="c"),
            Site(site_id="c", name="县", level=SiteLevel.COUNTY),
        ]

    def callboxes(self) -> Sequence[CallBox]:
        self.reads += 1
        return [CallBox(callbox_id=key, name=name, site_id="v") for key, name in self.boxes.items()]


async def test_a_box_has_its_sites_from_the_root_down() -> None:
    place = await Places(Registry(), FakeClock()).callbox("box-1")
    assert (place.name, [site.site_id for site in place.sites]) == ("张家", ["c", "v"])


async def test_the_registry_is_read_once_while_nothing_changes() -> None:
    registry, clock = Registry(), FakeClock()
    places = Places(registry, clock)
    for _ in range(5):
        await places.callbox("box-1")
        clock.advance(CHECK_EVERY_S)
    assert registry.reads == 1


async def test_a_renamed_box_is_known_soon() -> None:
    registry, clock = Registry(), FakeClock()
    places = Places(registry, clock)
    await places.callbox("box-1")
    registry.boxes["box-1"], registry.number = "李家", 2
    clock.advance(CHECK_EVERY_S)

    async def is_renamed() -> bool:
        return (await places.callbox("box-1")).name == "李家"

    await eventually(is_renamed)


async def test_a_box_registered_just_now_is_found_at_once() -> None:
    registry = Registry()
    places = Places(registry, FakeClock())
    with pytest.raises(NotFoundError, match="box-2"):
        await places.callbox("box-2")
    registry.boxes["box-2"], registry.number = "王家", 2
    assert (await places.callbox("box-2")).name == "王家"


async def test_a_registry_that_is_away_does_not_stop_boxes_that_are_known() -> None:
    registry, clock = Registry(), FakeClock()
    places = Places(registry, clock)
    await places.callbox("box-1")
    registry.is_away = True
    for _ in range(3):
        clock.advance(CHECK_EVERY_S)
        assert (await places.callbox("box-1")).name == "张家"
    with pytest.raises(UnavailableError):
        await places.callbox("box-9")
