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
from console.role import RoleContext
from console.settings import Settings
from devices.model import CallBox, Sensor, Site, SiteLevel
from devices.secrets import open_secret_box
from devices.sql_registry import SqlRegistry, open_registry
from ingest.mqtt_target import target_from_settings
from runtime.clock import SystemClock
from runtime.health import Health
from runtime.service import Service
from tests.mqtt_device import MqttDevice
from tests.servers.kafka import Kafka
from tests.servers.mosquitto import Mosquitto
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
    parts = BridgeParts(
        open_registry=lambda: registry_at(settings.data), bus=bus, broker=target_from_settings(settings)
    )
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
