"""The bridge: MQTT call boxes and sensors on one side, the bus on the other, its own ledger between.

`run_bridge` is the role `sharpeyes bridge`; `add_bridge` puts the same parts into another role (`sharpeyes up`). Each
task has its rule: what reads devices or owns the connection ends the role when it dies, so that a supervisor starts it
anew and the broker delivers again; what can take up its work from the ledger is restarted.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from alerts.bus import Bus
from alerts.call_desk import BoxCommand, CallDesk
from alerts.case_updates import CaseUpdateConsumer
from alerts.contract import DeviceCondition
from alerts.ledger import Ledger
from alerts.open_bus import open_bus
from alerts.places import Places
from alerts.relay import Relay
from analytics.sensor_desk import SensorDesk
from console.alert_keeping import add_alert_keeping
from console.registry_context import registry_of
from console.role import RoleContext, run_role
from console.settings import Settings
from devices.model import DeviceKind
from ingest import device_words
from ingest.device_inbox import DeviceInbox
from ingest.device_messages import BRIDGE_FILTERS, command_payload, command_topic
from ingest.device_states import DeviceStates
from ingest.known_devices import DeviceRegistry, Known, KnownDevices
from ingest.mqtt_link import MqttLink
from ingest.mqtt_session import Outgoing
from ingest.mqtt_target import MqttTarget, target_from_settings
from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.service import Restart

PART = "bridge"
LEDGER_FILE = "bridge.ledger.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeParts:
    """What the bridge takes from its role. `open_registry` blocks, may raise UnavailableError; the bus is started.

    The registry that it opens is the bridge's own, which closes it.
    """

    open_registry: Callable[[], DeviceRegistry]
    bus: Bus
    broker: MqttTarget


@asynccontextmanager
async def add_bridge(context: RoleContext, parts: BridgeParts) -> AsyncIterator[None]:
    """Open the bridge's ledger and start its tasks in the role's service; the ledger is closed on exit."""
    owner = context.instance(PART)
    devices = KnownDevices(parts.open_registry, context.clock, context.health)
    with closing(devices):
        async with Ledger(context.settings.data / LEDGER_FILE, owner, context.clock) as ledger:
            await _start(context, parts, ledger, devices)
            yield


async def _start(context: RoleContext, parts: BridgeParts, ledger: Ledger, devices: KnownDevices) -> None:
    clock, health, spawn = context.clock, context.health, context.service.spawn
    link = MqttLink(parts.broker, ledger.owner, BRIDGE_FILTERS, health)
    states = DeviceStates(ledger, clock)
    sensors = SensorDesk(ledger, states, clock)
    relay = Relay(PART, ledger, parts.bus, health, clock=clock)

    def tell(callbox_id: str, command: BoxCommand) -> None:
        link.send([Outgoing(command_topic(callbox_id), command_payload(command.step, command.call_id))])

    desk = CallDesk(ledger, Places(devices, clock), clock, context.settings, tell)
    inbox = DeviceInbox(
        link=link, devices=devices, desk=desk, readings=sensors, states=states, health=health, clock=clock
    )
    await states.restore()
    await sensors.restore()
    devices.on_change(sensors.sensors_changed)
    devices.on_change(lambda known: _note_devices(known, states))
    relay.on_published(desk.published)
    spawn("mqtt", link.run)
    spawn("inbox", inbox.run)
    spawn("known-devices", devices.run, restart=Restart())
    spawn("calls", desk.run, restart=Restart())
    spawn("case-updates", CaseUpdateConsumer(ledger, parts.bus, desk.moved).run, restart=Restart())
    spawn("relay", relay.run, restart=Restart())
    spawn("sensors", sensors.run, restart=Restart())
    spawn("device-states", states.run, restart=Restart())


def _note_devices(known: Known, states: DeviceStates) -> None:
    """A device that was registered but never heard says so; one that was taken out is forgotten."""
    kinds = dict.fromkeys(known.callboxes, DeviceKind.CALLBOX) | dict.fromkeys(known.sensors, DeviceKind.SENSOR)
    states.retain(kinds.keys())
    for device_id, kind in kinds.items():
        if states.known(device_id) is None:
            states.report(device_id, kind, DeviceCondition.OFFLINE, "never_seen", device_words.NEVER_SEEN)


def run_bridge(settings: Settings) -> None:
    """Run the role until it is told to stop."""
    if settings.mqtt_url is None:
        raise ConfigurationError(
            say(
                zh="mqtt_url：桥接进程需要一个 MQTT 服务。例：SHARPEYES_MQTT_URL=mqtt://127.0.0.1:1883",
                en="mqtt_url: the bridge needs an MQTT broker. Example: SHARPEYES_MQTT_URL=mqtt://127.0.0.1:1883",
            )
        )
    run_role("bridge", settings, [PART], _compose)


@asynccontextmanager
async def _compose(context: RoleContext) -> AsyncIterator[None]:
    settings = context.settings
    bus = open_bus(settings, settings.data, context.clock)
    await bus.start()
    try:
        broker = target_from_settings(settings)
        parts = BridgeParts(open_registry=lambda: registry_of(settings), bus=bus, broker=broker)
        async with add_bridge(context, parts), add_alert_keeping(context, bus):
            yield
    finally:
        await bus.stop()
