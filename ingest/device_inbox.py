"""From MQTT deliveries to calls, readings and device states, and back the `ack`; one task on the loop.

A press is acknowledged to its box once it is in the ledger, before the box hears what it did; a batch is settled
(PUBACK) once all of it is there. While the ledger takes nothing, it is tried again and the broker waits. What breaks
the contract or comes from an unknown device is refused for good: counted, logged at a bounded rate, shown on the state
of a device that is known. A fault of ours costs the one message that met it: tried again, it would stop all devices.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from alerts.call_desk import BoxPress, CallDesk, PressOutcome
from alerts.contract import DeviceCondition, Text
from devices.model import DeviceKind, Sensor
from ingest import device_words
from ingest.device_messages import (
    SHOWN_CHARS,
    Address,
    DeviceReport,
    KeyPress,
    Payload,
    SensorReading,
    ack_payload,
    check_reading,
    command_topic,
    parse_payload,
    parse_topic,
)
from ingest.device_states import DeviceStates
from ingest.known_devices import KnownDevices
from ingest.mqtt_link import MqttLink
from ingest.mqtt_session import Delivery, Outgoing
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.errors import ConflictError, InvalidInputError, NotFoundError, SharpEyesError, UnavailableError
from runtime.health import Health
from runtime.log import get_logger
from runtime.metrics import mqtt_messages

LOW_BATTERY = 0.2
COMPLAIN_EVERY_S = 1.0
"""Refusals come by the thousand from one broken device; the metric counts each, the log shows some."""

PART = "bridge ledger"
LOW_BATTERY_CODE = "battery_low"

_PRESS_OUTCOMES = {outcome: mqtt_messages.labels("event", outcome) for outcome in map(str, PressOutcome)}

_log = get_logger(__name__)

Work = Callable[[], Awaitable[None]]
"""What a delivery other than a press asks for, in the ledger when it returns."""


class Readings(Protocol):
    """What takes the readings of sensors; `analytics.sensor_desk` is it."""

    async def reading(self, sensor: Sensor, value: float) -> None: ...


@dataclass(slots=True, kw_only=True)
class DeviceInbox:
    """`run` is its task."""

    link: MqttLink
    devices: KnownDevices
    desk: CallDesk
    readings: Readings
    states: DeviceStates
    health: Health
    clock: Clock
    _last_reading: dict[str, tuple[str, int]] = field(default_factory=dict)
    _next_complaint_s: float = 0.0
    _unsaid: int = 0
    _next_fault_s: float = 0.0
    _faults_unsaid: int = 0

    async def run(self) -> None:
        """Deal with deliveries for ever, once the registry has been read."""
        await self.devices.ready()
        while True:
            await self.deal_with(await self.link.receive())

    async def deal_with(self, batch: Sequence[Delivery]) -> None:
        """Return when the whole batch is in the ledger or refused, and said so to broker and boxes."""
        backoff = Backoff(0.1, 2.0)
        waiting = [(delivery, work) for delivery in batch if (work := self._work_or_fault(delivery)) is not None]
        while waiting:
            presses = [(delivery, work) for delivery, work in waiting if isinstance(work, BoxPress)]
            others = [(delivery, work) for delivery, work in waiting if not isinstance(work, BoxPress)]
            pressed = await self.desk.press_all([press for _, press in presses], self._acknowledge)
            done = await asyncio.gather(*(work() for _, work in others), return_exceptions=True)
            outcomes = [*pressed, *done]
            waiting = self._to_try_again([*presses, *others], outcomes)
            if waiting:
                away = [outcome for outcome in outcomes if isinstance(outcome, UnavailableError)]
                await self._wait_out(away, backoff)
        self.health.well(PART, required=True)
        self.link.settle(batch)

    def _to_try_again(
        self, tried: Sequence[tuple[Delivery, BoxPress | Work]], outcomes: Sequence[object]
    ) -> list[tuple[Delivery, BoxPress | Work]]:
        waiting = []
        for (delivery, work), outcome in zip(tried, outcomes, strict=True):
            if isinstance(outcome, PressOutcome):
                _PRESS_OUTCOMES[outcome].inc()
            elif isinstance(outcome, UnavailableError):
                waiting.append((delivery, work))
            elif isinstance(outcome, NotFoundError | ConflictError | InvalidInputError):
                self._refuse(_channel_of(delivery), "refused", delivery, outcome)  # tried again, it would still fail
            elif isinstance(outcome, Exception):
                self._note_fault(delivery, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome  # cancelled: the process ends
        return waiting

    async def _wait_out(self, away: Sequence[UnavailableError], backoff: Backoff) -> None:
        self.health.unwell(PART, str(away[0]), required=True)
        _log.error("messages wait for the ledger", waiting=len(away), reason=str(away[0]))
        await self.clock.sleep(backoff.next_s())

    def _work_or_fault(self, delivery: Delivery) -> BoxPress | Work | None:
        try:
            return self._work_for(delivery)
        except Exception as error:  # noqa: BLE001 - supervision: delivered again, it would stop the bridge again
            self._note_fault(delivery, error)
            return None

    def _work_for(self, delivery: Delivery) -> BoxPress | Work | None:
        try:
            address = parse_topic(delivery.topic)
        except InvalidInputError as error:
            self._refuse("unknown", "refused", delivery, error)
            return None
        try:
            self._check_known(address)
            message = parse_payload(address.channel, delivery.payload)
            return self._work_of(address, message)
        except NotFoundError as error:
            self._refuse(address.channel, "unknown_device", delivery, error)
        except InvalidInputError as error:
            self._refuse(address.channel, "refused", delivery, error)
            self._report(address, DeviceCondition.DEGRADED, "bad_message", device_words.bad_message(str(error)))
        return None

    def _check_known(self, address: Address) -> None:
        known = self.devices.current
        if address.device_id not in (known.callboxes if address.kind is DeviceKind.CALLBOX else known.sensors):
            raise NotFoundError(f"{address.kind} {address.device_id} is not registered, or switched off")

    def _work_of(self, address: Address, message: Payload) -> BoxPress | Work | None:
        if isinstance(message, KeyPress):
            self._note_alive(address)
            return BoxPress(address.device_id, message.boot, message.seq, message.key, self.clock.now_ns())
        if isinstance(message, DeviceReport):
            self._report_state(address, message)
            is_back = address.kind is DeviceKind.CALLBOX and message.state == "ready"
            return partial(self._retell, address.device_id) if is_back else None
        sensor = self.devices.current.sensors[address.device_id]
        check_reading(sensor, message)
        if self._is_repeated(address.device_id, message):
            mqtt_messages.labels(address.channel, "duplicate").inc()
            return None
        self._note_alive(address)
        mqtt_messages.labels(address.channel, "accepted").inc()
        return partial(self._read, sensor, message.value)

    def _acknowledge(self, press: BoxPress) -> None:
        self.link.send((Outgoing(command_topic(press.callbox_id), ack_payload(press.boot, press.seq)),))

    async def _retell(self, callbox_id: str) -> None:
        await self.desk.retell(callbox_id)

    async def _read(self, sensor: Sensor, value: float) -> None:
        await self.readings.reading(sensor, value)

    def _is_repeated(self, sensor_id: str, reading: SensorReading) -> bool:
        """The broker may deliver twice; within a boot, `seq` only grows."""
        boot, seq = self._last_reading.get(sensor_id, ("", -1))
        if boot == reading.boot and reading.seq <= seq:
            return True
        self._last_reading[sensor_id] = (reading.boot, reading.seq)
        return False

    def _report_state(self, address: Address, report: DeviceReport) -> None:
        mqtt_messages.labels(address.channel, "accepted").inc()
        if report.state == "lost":
            self._report(address, DeviceCondition.OFFLINE, "lost", device_words.LOST)
        elif report.battery is not None and report.battery < LOW_BATTERY:
            words = device_words.battery_low(report.battery)
            self._report(address, DeviceCondition.DEGRADED, LOW_BATTERY_CODE, words)
        else:
            self._report(address, DeviceCondition.ONLINE, "ready", device_words.READY)

    def _note_alive(self, address: Address) -> None:
        """It sent what the contract allows, so it works; how full its battery is, its next state says."""
        known = self.states.known(address.device_id)
        if known is None or known.code != LOW_BATTERY_CODE:
            self._report(address, DeviceCondition.ONLINE, "ready", device_words.READY)

    def _report(self, address: Address, condition: DeviceCondition, code: str, reason: Text) -> None:
        self.states.report(address.device_id, address.kind, condition, code, reason)

    def _note_fault(self, delivery: Delivery, error: Exception) -> None:
        """An unforeseen failure: the message is settled; a press hears no `ack`, so its box sends it again."""
        mqtt_messages.labels(_channel_of(delivery), "failed").inc()
        if self.clock.monotonic_s() < self._next_fault_s:
            self._faults_unsaid += 1
            return
        self._next_fault_s = self.clock.monotonic_s() + COMPLAIN_EVERY_S
        topic = delivery.topic[:SHOWN_CHARS]
        _log.error("message failed", topic=topic, failed_unsaid_since_last=self._faults_unsaid, exc_info=error)
        self._faults_unsaid = 0

    def _refuse(self, kind: str, outcome: str, delivery: Delivery, error: SharpEyesError) -> None:
        mqtt_messages.labels(kind, outcome).inc()
        if self.clock.monotonic_s() < self._next_complaint_s:
            self._unsaid += 1
            return
        self._next_complaint_s = self.clock.monotonic_s() + COMPLAIN_EVERY_S
        topic = delivery.topic[:SHOWN_CHARS]
        _log.warning("message refused", topic=topic, reason=str(error), refused_unsaid_since_last=self._unsaid)
        self._unsaid = 0


def _channel_of(delivery: Delivery) -> str:
    try:
        return parse_topic(delivery.topic).channel
    except InvalidInputError:
        return "unknown"
