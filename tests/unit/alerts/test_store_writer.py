"""From the bus into the store: nothing is committed before it is saved, poison does not block the rest."""

import asyncio
from collections.abc import Sequence

from alerts.bus import Message
from alerts.cloudevents import alert_message, device_removed_message
from alerts.contract import TOPIC_ALERTS, TOPIC_DEVICE_STATE, AlertV1, DeviceStateV1
from alerts.store import DeviceRemoved
from alerts.store_writer import PART, StoreWriter
from runtime.clock import FakeClock
from runtime.errors import InvalidInputError, UnavailableError
from runtime.health import Health
from tests.unit.alerts.examples import T0_NS, camera_alert
from tests.unit.alerts.fakes import MemoryBus
from tests.waiting import eventually


class Store:
    """Keeps what it is given, unless it is away; `poison` is an id that no column can hold."""

    def __init__(self) -> None:
        self.saved: list[AlertV1] = []
        self.states: list[DeviceStateV1 | DeviceRemoved] = []
        self.is_away = False
        self.tries = 0
        self.poison = ""

    def save(self, revisions: Sequence[AlertV1]) -> int:
        self.tries += 1
        if self.is_away:
            raise UnavailableError("database away")
        if any(alert.alert_id == self.poison for alert in revisions):
            raise InvalidInputError("cannot be stored")
        self.saved += revisions
        return len(revisions)

    def save_device_states(self, states: Sequence[DeviceStateV1 | DeviceRemoved]) -> None:
        self.states += states


class Around:
    def __init__(self) -> None:
        self.bus, self.store, self.health, self.clock = MemoryBus(), Store(), Health(), FakeClock()
        self.writer = StoreWriter(self.bus, self.store, self.health, self.clock)  # type: ignore[arg-type]

    async def __aenter__(self) -> "Around":
        self.task = asyncio.create_task(self.writer.write_alerts())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def letters(self) -> list[Message]:
        return self.bus.of(TOPIC_ALERTS + ".dlq")


async def test_alerts_are_saved_and_then_committed() -> None:
    async with Around() as around:
        alert = camera_alert()
        await around.bus.publish([alert_message(alert)])
        await eventually(lambda: around.bus.committed == 1)
        assert around.store.saved == [alert]


async def test_a_database_that_is_away_loses_nothing() -> None:
    async with Around() as around:
        around.store.is_away = True
        alert = camera_alert()
        await around.bus.publish([alert_message(alert)])
        await eventually(lambda: PART in around.health.parts())
        assert around.bus.committed == 0
        around.store.is_away = False

        def is_committed() -> bool:
            around.clock.advance(10)
            return around.bus.committed == 1

        await eventually(is_committed)
        assert around.store.saved == [alert]
        assert around.health.parts()[PART].well


async def test_what_is_no_alert_goes_to_the_dead_letters_and_the_rest_is_saved() -> None:
    async with Around() as around:
        alert = camera_alert()
        await around.bus.publish([Message(TOPIC_ALERTS, "k", b'{"alert_id": 1}'), alert_message(alert)])
        await eventually(lambda: around.bus.committed == 2)
        assert around.store.saved == [alert]
        assert [letter.value for letter in around.letters()] == [b'{"alert_id": 1}']


async def test_an_empty_device_state_is_a_removal_and_no_dead_letter() -> None:
    around = Around()
    writing = asyncio.create_task(around.writer.write_device_states())
    await around.bus.publish([device_removed_message("box-1", T0_NS, "bridge")])
    await eventually(lambda: around.bus.committed == 1)
    writing.cancel()
    assert around.store.states == [DeviceRemoved("box-1")]
    assert around.bus.of(TOPIC_DEVICE_STATE + ".dlq") == []


async def test_an_alert_that_no_database_can_hold_does_not_block_its_neighbours() -> None:
    async with Around() as around:
        good, bad = camera_alert(), camera_alert()
        around.store.poison = bad.alert_id
        await around.bus.publish([alert_message(bad), alert_message(good)])
        await eventually(lambda: around.bus.committed == 2)
        assert around.store.saved == [good]
        assert len(around.letters()) == 1
