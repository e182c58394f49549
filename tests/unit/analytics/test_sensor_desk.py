import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import msgspec
import pytest

from alerts.contract import TOPIC_ALERTS, AlertKind, AlertStatus, AlertV1, Change
from alerts.ledger import Ledger
from alerts.revision import revise
from analytics.sensor_desk import SCOPE, SensorDesk
from devices.model import Crossing, Sensor, Site, SiteLevel, Threshold
from ingest.device_states import DeviceStates
from ingest.known_devices import Known
from runtime.clock import FakeClock, utc
from runtime.errors import UnavailableError

FLOOD = Threshold(name="flood", crossing=Crossing.ABOVE, trip=2.0, clear=1.5)
GAUGE = Sensor(
    sensor_id="gauge",
    name="东河",
    site_id="village",
    metric="water_level",
    unit="m",
    thresholds=(FLOOD,),
    missing_after_s=60,
)
KNOWN = Known(1, {"village": Site(site_id="village", name="东村", level=SiteLevel.VILLAGE)}, {}, {"gauge": GAUGE})


@dataclass
class River:
    desk: SensorDesk
    ledger: Ledger
    clock: FakeClock

    async def says(self, value: float) -> None:
        await self.desk.reading(GAUGE, value)

    async def told(self) -> list[AlertV1]:
        rows = await self.ledger.apply(lambda txn: txn.waiting(100))
        return [
            msgspec.json.decode(row.message.value, type=AlertV1) for row in rows if row.message.topic == TOPIC_ALERTS
        ]

    async def restarted(self) -> "River":
        desk = SensorDesk(self.ledger, DeviceStates(self.ledger, self.clock), self.clock)
        await desk.restore()
        desk.sensors_changed(KNOWN)
        return River(desk, self.ledger, self.clock)


@pytest.fixture
async def river(tmp_path: Path) -> AsyncIterator[River]:
    clock = FakeClock()
    async with Ledger(tmp_path / "l.db", "bridge-1", clock) as ledger:
        yield await River(SensorDesk(ledger, DeviceStates(ledger, clock), clock), ledger, clock).restarted()


async def test_a_value_over_its_limit_opens_one_alert_with_the_whole_story(river: River) -> None:
    for value in (1.0, 2.5, 2.6):
        await river.says(value)
    (alert,) = await river.told()
    assert (alert.kind, alert.revision, alert.sites[0].site_id) == (AlertKind.SENSOR_THRESHOLD, 1, "village")
    assert alert.reading is not None
    assert (alert.reading.value, alert.reading.limit, alert.reading.threshold) == (2.5, 2.0, "flood")
    assert "东河" in alert.summary.zh


async def test_back_to_normal_resolves_an_alert_that_nobody_took(river: River) -> None:
    await river.says(2.5)
    await river.says(1.2)
    last = (await river.told())[-1]
    assert (last.revision, last.status, last.change) == (2, AlertStatus.RESOLVED, Change.RESOLVED)
    assert last.reading is not None
    assert last.reading.value == 1.2


async def test_back_to_normal_leaves_an_alert_that_somebody_took_to_them(river: River) -> None:
    await river.says(2.5)
    (opened,) = await river.told()
    taken = revise(opened, Change.ACKNOWLEDGED, river.clock.now_ns(), status=AlertStatus.ACKNOWLEDGED)
    await river.ledger.apply(lambda txn: txn.put(taken))
    await river.says(1.2)
    last = (await river.told())[-1]
    assert (last.revision, last.status, last.change) == (3, AlertStatus.ACKNOWLEDGED, Change.UPDATED)


async def test_a_restart_in_mid_flood_opens_no_second_alert_and_still_sees_the_end(river: River) -> None:
    await river.says(2.5)
    again = await river.restarted()
    await again.says(2.7)
    assert len(await again.told()) == 1
    await again.says(1.0)
    assert (await again.told())[-1].status is AlertStatus.RESOLVED


async def test_silence_is_an_alert_and_an_offline_state_and_the_next_reading_resolves_it(river: River) -> None:
    await river.says(1.0)
    river.clock.advance(61)
    await river.desk.let_time_pass()
    (missing,) = await river.told()
    assert missing.kind is AlertKind.SENSOR_MISSING
    state = river.desk.states.known("gauge")
    assert state is not None
    assert state.code == "data_missing"
    await river.says(1.1)
    assert (await river.told())[-1].status is AlertStatus.RESOLVED


async def test_a_finding_that_the_disk_does_not_take_is_kept_for_the_next_try(river: River) -> None:
    await river.ledger.close()
    with pytest.raises(UnavailableError):
        await river.says(2.5)
    await river.ledger.open()
    await river.says(2.5)
    assert [alert.revision for alert in await river.told()] == [1]


class FullDisk:
    """A ledger that thinks about every change and takes none."""

    async def apply(self, _change: object) -> None:
        await asyncio.sleep(0)
        raise UnavailableError("disk full")


async def test_findings_that_the_disk_refused_keep_their_order(river: River) -> None:
    river.desk.ledger = cast(Ledger, FullDisk())
    refused = await asyncio.gather(river.says(2.5), river.says(1.2), return_exceptions=True)
    assert [type(error) for error in refused] == [UnavailableError, UnavailableError]
    river.desk.ledger = river.ledger
    await river.desk.let_time_pass()
    assert [alert.status for alert in await river.told()] == [AlertStatus.OPEN, AlertStatus.RESOLVED]


async def test_a_sensor_that_comes_back_to_the_registry_stands_as_it_left(river: River) -> None:
    await river.says(2.5)
    again = await river.restarted()
    await again.says(1.0)
    again.desk.sensors_changed(Known(2, KNOWN.sites, {}, {}))
    again.desk.sensors_changed(KNOWN)
    await again.says(2.6)
    assert [alert.revision for alert in await again.told()] == [1, 2, 1]


@pytest.mark.parametrize("jump_s", [-3600, 3600])
async def test_a_host_clock_that_is_set_makes_no_sensor_missing_and_none_deaf(river: River, jump_s: float) -> None:
    await river.says(1.0)
    river.clock.jump_wall(jump_s)
    await river.desk.let_time_pass()
    assert await river.told() == []
    river.clock.advance(61)
    await river.desk.let_time_pass()
    (missing,) = await river.told()
    assert (missing.kind, missing.opened_at) == (AlertKind.SENSOR_MISSING, utc(river.clock.now_ns()))
    assert "1 min" in missing.summary.en


@pytest.mark.parametrize("jump_s", [-3600, 3600])
async def test_a_dwell_lasts_as_long_as_it_lasts_when_the_host_clock_is_set(river: River, jump_s: float) -> None:
    slow = replace(GAUGE, thresholds=(replace(FLOOD, dwell_s=30.0),))
    river.desk.sensors_changed(Known(2, KNOWN.sites, {}, {"gauge": slow}))
    await river.says(2.5)
    river.clock.jump_wall(jump_s)
    river.clock.advance(29)
    await river.says(2.5)
    assert await river.told() == []
    river.clock.advance(1)
    await river.desk.let_time_pass()
    (alert,) = await river.told()
    assert (alert.kind, alert.opened_at) == (AlertKind.SENSOR_THRESHOLD, utc(river.clock.now_ns()))


NO_SENSOR = Known(2, KNOWN.sites, {}, {})
NO_THRESHOLD = Known(
    2, KNOWN.sites, {}, {"gauge": replace(GAUGE, thresholds=(replace(FLOOD, name="other", trip=9.0),))}
)


@pytest.mark.parametrize("then", [NO_SENSOR, NO_THRESHOLD])
async def test_what_is_taken_out_of_the_registry_resolves_its_alert_and_is_forgotten(river: River, then: Known) -> None:
    await river.says(2.5)
    river.desk.sensors_changed(then)
    await river.desk.let_time_pass()
    last = (await river.told())[-1]
    assert (last.revision, last.status, last.change) == (2, AlertStatus.RESOLVED, Change.RESOLVED)
    assert "removed from the registry" in last.summary.en
    river.desk.sensors_changed(KNOWN)
    await river.says(2.6)
    assert [alert.revision for alert in await river.told()] == [1, 2, 1], "it starts anew when it comes back"


async def test_a_sensor_removed_while_the_bridge_was_down_or_silent_resolves_its_alert(river: River) -> None:
    river.clock.advance(61)
    await river.desk.let_time_pass()
    desk = SensorDesk(river.ledger, DeviceStates(river.ledger, river.clock), river.clock)
    await desk.restore()
    desk.sensors_changed(NO_SENSOR)
    await desk.let_time_pass()
    assert [alert.status for alert in await river.told()] == [AlertStatus.OPEN, AlertStatus.RESOLVED]
    assert await river.ledger.apply(lambda txn: txn.recall(SCOPE)) == {}


async def test_who_has_taken_an_alert_hears_once_that_its_sensor_was_removed(river: River) -> None:
    await river.says(2.5)
    (opened,) = await river.told()
    taken = revise(opened, Change.ACKNOWLEDGED, river.clock.now_ns(), status=AlertStatus.ACKNOWLEDGED)
    await river.ledger.apply(lambda txn: txn.put(taken))
    for _ in range(2):
        river.desk.sensors_changed(NO_SENSOR)
        await river.desk.let_time_pass()
    last = (await river.told())[-1]
    assert (last.revision, last.status, last.change) == (3, AlertStatus.ACKNOWLEDGED, Change.UPDATED)
