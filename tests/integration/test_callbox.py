"""A call from the green key to the thumb on real servers: Mosquitto, the bridge, Kafka, a case system that answers."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.bus import Bus, Message
from alerts.cloudevents import case_update_message
from alerts.contract import (
    TOPIC_ALERTS,
    TOPIC_DEVICE_STATE,
    AlertV1,
    CallStep,
    CaseStatus,
    CaseUpdateV1,
    DeviceStateV1,
)
from alerts.open_bus import open_bus
from console.alert_keeping import add_alert_keeping
from console.bridge import BridgeParts, add_bridge
from console.registry_context import registry_of
from console.role import RoleContext
from console.settings import Settings
from devices.model import CallBox, Crossing, Sensor, Site, SiteLevel, Threshold
from devices.secrets import open_secret_box
from devices.sql_registry import SqlRegistry, open_registry
from ingest.mqtt_target import target_from_settings
from runtime.clock import SystemClock
from runtime.health import Health
from runtime.service import Service
from tests.mqtt_device import MqttDevice
from tests.servers.fixtures import Factory
from tests.servers.kafka import Kafka
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.waiting import eventually

HEAR_S = 20


def new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(4)}"


def add_devices(data: Path, *devices: CallBox | Sensor) -> None:
    registry = registry_at(data)
    registry.put_all(
        [
            Site(site_id="county", name="某县", level=SiteLevel.COUNTY),
            Site(site_id="village", name="东村", level=SiteLevel.VILLAGE, parent_id="county"),
            *devices,
        ]
    )
    registry.close()


def registry_at(data: Path) -> SqlRegistry:
    return open_registry(None, data, open_secret_box(None, data))


def box(callbox_id: str) -> CallBox:
    return CallBox(callbox_id=callbox_id, name="王奶奶家", site_id="village")


@dataclass
class Heard:
    """What a service downstream sees on the bus, by device."""

    alerts: list[AlertV1] = field(default_factory=list)
    states: list[DeviceStateV1] = field(default_factory=list)

    def alerts_of(self, device_id: str) -> list[AlertV1]:
        return [alert for alert in self.alerts if alert.device_id == device_id]

    def conditions_of(self, device_id: str) -> list[str]:
        return [state.code for state in self.states if state.device_id == device_id]

    async def alert(self, device_id: str, is_it: Callable[[AlertV1], bool], what: str) -> AlertV1:
        def found() -> AlertV1 | None:
            return next((alert for alert in self.alerts_of(device_id) if is_it(alert)), None)

        answer = await eventually(found, HEAR_S, f"an alert of {device_id}: {what}")
        assert answer is not None
        return answer


@asynccontextmanager
async def listening(bus: Bus) -> AsyncIterator[Heard]:
    heard = Heard()

    async def listen(topic: str, take: Callable[[Message], None]) -> None:
        async with bus.subscribe(topic, new_id("test")) as subscription:
            while True:
                for received in await subscription.receive():
                    take(received.message)

    tasks = [
        asyncio.create_task(
            listen(TOPIC_ALERTS, lambda m: heard.alerts.append(msgspec.json.decode(m.value, type=AlertV1)))
        ),
        asyncio.create_task(
            listen(TOPIC_DEVICE_STATE, lambda m: heard.states.append(msgspec.json.decode(m.value, type=DeviceStateV1)))
        ),
    ]
    try:
        yield heard
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class RunningBridge:
    health: Health
    bus: Bus
    settings: Settings


@asynccontextmanager
async def running_bridge(settings: Settings) -> AsyncIterator[RunningBridge]:
    service, health, clock = Service("bridge"), Health(), SystemClock()
    context = RoleContext(role="bridge", settings=settings, service=service, health=health, clock=clock)
    bus = open_bus(settings, settings.data, clock)
    await bus.start()
    parts = BridgeParts(open_registry=lambda: registry_of(settings), bus=bus, broker=target_from_settings(settings))
    async with add_bridge(context, parts), add_alert_keeping(context, bus):
        running = asyncio.create_task(service.run())
        try:
            yield RunningBridge(health, bus, settings)
        finally:
            service.stop()
            await running
    await bus.stop()


def settings_for(data: Path, broker: Mosquitto, kafka: Kafka | None, **more: Any) -> Settings:
    return Settings(
        data=data,
        instance=new_id("bridge"),
        mqtt_url=broker.url,
        kafka_bootstrap=kafka.bootstrap if kafka else None,
        **more,
    )


async def answer(bus: Bus, alert: AlertV1, status: CaseStatus) -> None:
    update = CaseUpdateV1(
        update_id=new_id("update"), alert_id=alert.alert_id, status=status, at=datetime.now(UTC), by="值班员"
    )
    await bus.publish([case_update_message(update, "test")])


@asynccontextmanager
async def switched_on(device: MqttDevice) -> AsyncIterator[MqttDevice]:
    with device:
        yield device


async def test_a_call_goes_from_the_green_key_to_the_thumb(tmp_path: Path, mosquitto: Mosquitto, kafka: Kafka) -> None:
    box_id = new_id("box")
    add_devices(tmp_path, box(box_id))
    async with (
        running_bridge(settings_for(tmp_path, mosquitto, kafka)) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, box_id)) as device,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        device.press("call", 1)
        await eventually(lambda: device.commands()[:2] == ["ack", "ringing"], HEAR_S, "ack, then ringing")
        assert device.heard[0] == {"cmd": "ack", "boot": "boot-1", "seq": 1}
        opened = await heard.alert(box_id, lambda alert: alert.revision == 1, "revision 1")
        assert [site.site_id for site in opened.sites] == ["county", "village"]
        await answer(bridge.bus, opened, CaseStatus.ACCEPTED)
        await asyncio.to_thread(device.wait_for, "answered", HEAR_S)
        await answer(bridge.bus, opened, CaseStatus.RESOLVED)
        await asyncio.to_thread(device.wait_for, "rate", HEAR_S)
        device.press("up", 2)
        await asyncio.to_thread(device.wait_for, "closed", HEAR_S)
        closed = await heard.alert(
            box_id, lambda alert: alert.call is not None and alert.call.step is CallStep.CLOSED, "closed"
        )
    assert closed.call is not None
    assert closed.call.rating == "up"
    revisions = [alert.revision for alert in heard.alerts_of(box_id)]
    assert revisions == list(range(1, closed.revision + 1))
    assert all(message["call"] == opened.alert_id for message in device.heard if message["cmd"] != "ack")


async def test_repeated_replayed_and_skipped_presses_open_one_call_and_are_all_acknowledged(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    box_id = new_id("box")
    add_devices(tmp_path, box(box_id))
    async with (
        running_bridge(settings_for(tmp_path, mosquitto, None)) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, box_id)) as device,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        for seq in (1, 1, 1, 9, 2, 1, 9):
            device.press("call", seq)
        await eventually(lambda: device.commands().count("ack") == 7, HEAR_S, "seven acks")
        await heard.alert(box_id, lambda alert: alert.revision == 2, "ringing")
        device.press("hangup", 10)
        await heard.alert(box_id, lambda alert: alert.change == "closed", "closed")
    assert len({alert.alert_id for alert in heard.alerts_of(box_id)}) == 1


BAD = {
    "ten megabytes": b"x" * 10_000_000,
    "not JSON": b"\xff\xfe nonsense",
    "a wrong type": b'{"boot": 1, "seq": "7", "key": "call"}',
    "a key that does not exist": b'{"boot": "a", "seq": 1, "key": "purple"}',
    "a negative seq": b'{"boot": "a", "seq": -1, "key": "call"}',
    "NaN": b'{"boot": "a", "seq": NaN, "key": "call"}',
    "a deep nest": b"[" * 4000,
    "nothing": b"",
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
async def test_a_box_that_sends_rubbish_is_shown_as_degraded_and_costs_nobody_else(
    tmp_path: Path, mosquitto: Mosquitto, payload: bytes
) -> None:
    bad_id, good_id, unknown_id = new_id("bad"), new_id("good"), new_id("unknown")
    add_devices(tmp_path, box(bad_id), box(good_id))
    async with (
        running_bridge(settings_for(tmp_path, mosquitto, None)) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, bad_id)) as bad,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, good_id)) as good,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, unknown_id)) as unknown,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        await asyncio.to_thread(bad.publish, "event", payload)
        unknown.press("call", 1)
        await eventually(lambda: "bad_message" in heard.conditions_of(bad_id), HEAR_S, "degraded, with the reason")
        good.press("call", 1)
        await heard.alert(good_id, lambda alert: alert.revision == 1, "the neighbour's call")
        bad.press("call", 2)
        await heard.alert(bad_id, lambda alert: alert.revision == 1, "its own call once it speaks well")
        await eventually(lambda: heard.conditions_of(bad_id)[-1] == "ready", HEAR_S, "online again")
    assert unknown.heard == []
    assert heard.alerts_of(unknown_id) == []


async def test_a_broker_killed_in_mid_call_costs_no_press_and_no_word(
    tmp_path: Path, own_mosquitto: Factory[Mosquitto]
) -> None:
    box_id, broker = new_id("box"), own_mosquitto()
    add_devices(tmp_path, box(box_id))
    async with running_bridge(settings_for(tmp_path, broker, None)) as bridge, listening(bridge.bus) as heard:
        await eventually(bridge.health.is_ready, HEAR_S)
        async with switched_on(MqttDevice(broker.host, broker.port, box_id)) as device:
            device.press("call", 1)
            opened = await heard.alert(box_id, lambda alert: alert.revision == 1, "revision 1")
            await asyncio.to_thread(broker.kill)
            await eventually(lambda: not bridge.health.is_ready(), HEAR_S, "not ready without its broker")
            await answer(bridge.bus, opened, CaseStatus.ACCEPTED)
            await heard.alert(box_id, lambda alert: alert.change == "acknowledged", "answered, box or no box")
            await asyncio.to_thread(broker.start)
            # as boxes do when they are back
            await asyncio.to_thread(device.publish, "state", {"state": "ready"}, retain=True)
            await asyncio.to_thread(device.wait_for, "answered", HEAR_S)
            device.press("hangup", 2)
            await asyncio.to_thread(device.wait_for, "rate", HEAR_S)


async def test_a_press_made_while_kafka_is_away_is_acknowledged_and_rings_when_kafka_comes(
    tmp_path: Path, mosquitto: Mosquitto, own_kafka: Factory[Kafka]
) -> None:
    box_id, kafka = new_id("box"), own_kafka(start=False)
    add_devices(tmp_path, box(box_id))
    async with (
        running_bridge(settings_for(tmp_path, mosquitto, kafka)) as bridge,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, box_id)) as device,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        device.press("call", 1)
        await asyncio.to_thread(device.wait_for, "ack", HEAR_S)
        assert "ringing" not in device.commands()
        await eventually(lambda: not bridge.health.parts()["bridge bus"].well, HEAR_S, "the bus is said to be away")
        await asyncio.to_thread(kafka.start)
        await asyncio.to_thread(device.wait_for, "ringing", 40)


async def test_the_database_may_be_away_at_start_and_later_and_presses_are_still_taken(
    tmp_path: Path, mosquitto: Mosquitto, own_postgres: Factory[Postgres]
) -> None:
    box_id, postgres = new_id("box"), own_postgres()
    url = postgres.create_database()
    registry = open_registry(url, tmp_path, open_secret_box(None, tmp_path))
    registry.put_all([Site(site_id="county", name="某县", level=SiteLevel.COUNTY)])
    registry.put_callbox(CallBox(callbox_id=box_id, name="王奶奶家", site_id="county"))
    registry.close()
    await asyncio.to_thread(postgres.stop)
    settings = settings_for(tmp_path, mosquitto, None, database_url=url)
    async with (
        running_bridge(settings) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, box_id)) as device,
    ):
        await eventually(lambda: bridge.health.parts()["mqtt"].well, HEAR_S)
        device.press("call", 1)
        assert not bridge.health.is_ready()
        assert "no device is known yet" in bridge.health.parts()["device registry"].reason
        await asyncio.to_thread(postgres.start)
        await asyncio.to_thread(device.wait_for, "ringing", HEAR_S)
        await asyncio.to_thread(postgres.stop)
        await eventually(lambda: not bridge.health.parts()["device registry"].well, HEAR_S, "the database is away")
        assert bridge.health.is_ready()
        device.press("hangup", 2)
        await asyncio.to_thread(device.wait_for, "closed", HEAR_S)
        await heard.alert(box_id, lambda alert: alert.change == "closed", "closed")


async def test_a_box_registered_while_the_bridge_runs_works_without_a_restart(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    old_id, new_box_id = new_id("box"), new_id("box")
    add_devices(tmp_path, box(old_id))
    async with (
        running_bridge(settings_for(tmp_path, mosquitto, None)) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, new_box_id)) as device,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        add_devices(tmp_path, box(new_box_id))
        await eventually(lambda: "never_seen" in heard.conditions_of(new_box_id), HEAR_S, "known, never seen")
        device.press("call", 1)
        await asyncio.to_thread(device.wait_for, "ringing", HEAR_S)
        device.publish("state", {"state": "ready", "battery": 0.1}, retain=True)
        await eventually(lambda: heard.conditions_of(new_box_id)[-1] == "battery_low", HEAR_S)
        await eventually(lambda: device.commands().count("ringing") == 2, HEAR_S, "told again where its call stands")
        await asyncio.to_thread(device.vanish)
        await eventually(lambda: heard.conditions_of(new_box_id)[-1] == "lost", HEAR_S, "offline by its last will")
    assert heard.conditions_of(old_id) == ["never_seen"]


async def test_a_water_level_over_its_limit_is_an_alert_and_its_fall_resolves_it(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    sensor_id = new_id("gauge")
    limit = Threshold(name="flood", crossing=Crossing.ABOVE, trip=2.0, clear=1.5)
    gauge = Sensor(
        sensor_id=sensor_id, name="东河", site_id="village", metric="water_level", unit="m", thresholds=(limit,)
    )
    add_devices(tmp_path, gauge)

    def reading(seq: int, value: float, unit: str = "m") -> dict[str, object]:
        return {"boot": "b", "seq": seq, "metric": "water_level", "value": value, "unit": unit, "t_ms": 1}

    async with (
        running_bridge(settings_for(tmp_path, mosquitto, None)) as bridge,
        listening(bridge.bus) as heard,
        switched_on(MqttDevice(mosquitto.host, mosquitto.port, sensor_id, kind="sensor")) as device,
    ):
        await eventually(bridge.health.is_ready, HEAR_S)
        device.publish("reading", reading(1, 1.0))
        device.publish("reading", reading(2, 2.4))
        device.publish("reading", reading(2, 2.4))
        opened = await heard.alert(sensor_id, lambda alert: alert.revision == 1, "over the limit")
        assert opened.reading is not None
        assert (opened.reading.value, opened.reading.threshold, opened.reading.limit) == (2.4, "flood", 2.0)
        device.publish("reading", reading(3, 240, "cm"))
        await eventually(lambda: "bad_message" in heard.conditions_of(sensor_id), HEAR_S, "the wrong unit is shown")
        device.publish("reading", reading(4, 1.2))
        await heard.alert(sensor_id, lambda alert: alert.change == "resolved", "back to normal")
    assert len(heard.alerts_of(sensor_id)) == 2


async def test_a_restarted_bridge_tells_the_box_where_its_call_stands_and_opens_no_second_one(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    box_id = new_id("box")
    add_devices(tmp_path, box(box_id))
    settings = settings_for(tmp_path, mosquitto, None)
    async with switched_on(MqttDevice(mosquitto.host, mosquitto.port, box_id)) as device:
        async with running_bridge(settings) as bridge:
            await eventually(bridge.health.is_ready, HEAR_S)
            device.press("call", 1)
            await asyncio.to_thread(device.wait_for, "ringing", HEAR_S)
        device.press("call", 1)
        device.press("call", 2)
        async with running_bridge(settings) as bridge, listening(bridge.bus) as heard:
            await eventually(lambda: device.commands().count("ack") == 3, HEAR_S, "acks of what was pressed meanwhile")
            await eventually(lambda: device.commands().count("ringing") >= 2, HEAR_S, "told again")
            await heard.alert(box_id, lambda alert: alert.revision == 2, "ringing")
    assert {message["call"] for message in device.heard if message["cmd"] == "ringing"} == {
        alert.alert_id for alert in heard.alerts_of(box_id)
    }
