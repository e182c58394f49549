"""From the bus into the alert store: every revision of every alert, and the latest device states.

One task a topic on the loop; the store is called in a thread. Offsets are committed after the save, so a database that
is away loses nothing: the batch is tried again until it is back. What cannot be read or stored goes to the dead-letter
topic. Ends with `UnavailableError` when the bus is away; run again, it goes on after the last commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from alerts.bus import Bus, Message, Received
from alerts.contract import TOPIC_ALERTS, TOPIC_DEVICE_STATE, AlertV1, DeviceStateV1
from alerts.dead_letter import dead_letter
from alerts.store import AlertStore, DeviceRemoved
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.errors import InvalidInputError, UnavailableError
from runtime.health import Health
from runtime.log import get_logger

GROUP = "sharpeyes.alert-store"

MAX_DELAY_S = 10.0
PART = "alert-store"
MAX_REVISION = 2**31 - 1

S = TypeVar("S")
_log = get_logger(__name__)
_alert_decoder = msgspec.json.Decoder(AlertV1)
_state_decoder = msgspec.json.Decoder(DeviceStateV1)


class StoreWriter:
    """`write_alerts` and `write_device_states` are its tasks."""

    def __init__(self, bus: Bus, store: AlertStore, health: Health, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._health = health
        self._clock = clock

    async def write_alerts(self) -> None:
        """Store alerts for ever."""
        await self._write(TOPIC_ALERTS, _read_alert, self._store.save)

    async def write_device_states(self) -> None:
        """Store device states for ever."""
        await self._write(TOPIC_DEVICE_STATE, _read_state, self._store.save_device_states)

    async def _write(self, topic: str, read: Callable[[Message], S], save: Callable[[Sequence[S]], object]) -> None:
        async with self._bus.subscribe(topic, f"{GROUP}.{topic}") as subscription:
            while True:
                letters = await self._store_batch(await subscription.receive(), read, save)
                if letters:
                    await self._bus.publish(letters)
                await subscription.commit()

    async def _store_batch(
        self, batch: Sequence[Received], read: Callable[[Message], S], save: Callable[[Sequence[S]], object]
    ) -> list[Message]:
        """Save what can be saved; returns dead letters of the rest."""
        letters: list[Message] = []
        readable: list[tuple[Received, S]] = []
        for item in batch:
            try:
                readable.append((item, read(item.message)))
            except InvalidInputError as error:
                letters.append(_refuse(item, str(error)))
        try:
            await self._save(save, [value for _, value in readable])
        except InvalidInputError:
            letters += await self._save_singly(save, readable)
        return letters

    async def _save_singly(
        self, save: Callable[[Sequence[S]], object], readable: Sequence[tuple[Received, S]]
    ) -> list[Message]:
        letters = []
        for item, value in readable:
            try:
                await self._save(save, [value])
            except InvalidInputError as error:
                letters.append(_refuse(item, str(error)))
        return letters

    async def _save(self, save: Callable[[Sequence[S]], object], values: Sequence[S]) -> None:
        backoff = Backoff(first_s=0.2, max_s=MAX_DELAY_S)
        while values:
            try:
                await asyncio.to_thread(save, values)
            except UnavailableError as error:
                delay_s = backoff.next_s()
                self._health.unwell(PART, str(error))
                _log.warning("alert store is away, trying again", reason=str(error), delay_s=round(delay_s, 2))
                await self._clock.sleep(delay_s)
            else:
                self._health.well(PART)
                return


def _read_alert(message: Message) -> AlertV1:
    alert = _decode(_alert_decoder, message.value)
    if alert.revision > MAX_REVISION:
        raise InvalidInputError(f"revision {alert.revision} is over {MAX_REVISION}")
    return alert


def _read_state(message: Message) -> DeviceStateV1 | DeviceRemoved:
    return _decode(_state_decoder, message.value) if message.value else DeviceRemoved(message.key)


def _decode(decoder: "msgspec.json.Decoder[S]", value: bytes) -> S:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(f"cannot be read: {str(error)[:300]}") from None


def _refuse(item: Received, reason: str) -> Message:
    _log.warning("message refused", topic=item.message.topic, offset=item.offset, reason=reason)
    return dead_letter(item, reason)
