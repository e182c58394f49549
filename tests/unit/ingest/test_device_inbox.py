"""The inbox with a real ledger and call desk; broker, registry and clock are the test's."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from alerts.call_desk import BoxCommand, CallDesk
from alerts.contract import AlertKind
from alerts.ledger import Ledger
from alerts.places import Place, Places
from alerts.settings import CallSettings
from devices.model import CallBox, Sensor, Site, SiteLevel
from ingest.device_inbox import DeviceInbox
from ingest.device_states import DeviceStates
from ingest.known_devices import Known, KnownDevices
from ingest.mqtt_link import MqttLink
from ingest.mqtt_session import Delivery, Outgoing
from runtime import metrics
from runtime.clock import FakeClock
from runtime.errors import NotFoundError, UnavailableError
from runtime.health import Health
from tests.waiting import eventually


@dataclass
class FakeLink:
    """Notes what was settled and sent, in their order."""

    settled: list[Delivery] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        self.settled += deliveries

    def send(self, messages: Iterable[Outgoing]) -> None:
        self.sent += messages

    def commands(self) -> list[str]:
        return [json.loads(message.payload)["cmd"] for message in self.sent]


@dataclass
class FakeReadings:
    """Takes readings; refuses as long as `is_away`, and fails on `poison`."""

    values: list[float] = field(default_factory=list)
    is_away: bool = False
    poison: float | None = None

    async def reading(self, sensor: Sensor, value: float) -> None:
        if value == self.poison:
            raise ZeroDivisionError("a fault of ours")
        if self.is_away:
            raise UnavailableError("disk full")
        self.values.append(value)


class OneVillage:
    """A registry with box-1 and gauge-1."""

    def revision(self) -> int:
        return 1

    def sites(self) -> list[Site]:
        return [Site(site_id="village", name="东村", level=SiteLevel.VILLAGE)]

    def callboxes(self) -> list[CallBox]:
        return [
            CallBox(callbox_id="box-1", name="王奶奶家", site_id="village"),
            CallBox(callbox_id="box-off", name="空置", site_id="village", enabled=False),
        ]

    def sensors(self) -> list[Sensor]:
        return [Sensor(sensor_id="gauge-1", name="东河", site_id="village", metric="water_level", unit="m")]

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Unplaced:
    """Places that do not know one box: it went between two looks at the registry."""

    box_id: str

    async def callbox(self, callbox_id: str) -> Place:
        assert callbox_id == self.box_id
        raise NotFoundError(callbox_id)


@dataclass
class Desk:
    inbox: DeviceInbox
    link: FakeLink
    ledger: Ledger
    readings: FakeReadings
    states: DeviceStates
    health: Health
    clock: FakeClock

    async def deal_with(self, *deliveries: Delivery) -> None:
        await self.inbox.deal_with(deliveries)

    async def calls(self) -> int:
        return len(await self.ledger.apply(lambda txn: txn.unfinished(AlertKind.CALL)))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock, health, link, readings = FakeClock(), Health(), FakeLink(), FakeReadings()
    devices = KnownDevices(OneVillage, clock, health)
    await devices.refresh()
    async with Ledger(tmp_path / "bridge.ledger.db", "bridge-1", clock) as ledger:
        states = DeviceStates(ledger, clock)

        def tell(callbox_id: str, command: BoxCommand) -> None:
            link.send([Outgoing(callbox_id, json.dumps({"cmd": command.step}).encode())])

        inbox = DeviceInbox(
            link=cast(MqttLink, link),
            devices=devices,
            desk=CallDesk(ledger, Places(devices, clock), clock, CallSettings(), tell),
            readings=readings,
            states=states,
            health=health,
            clock=clock,
        )
        yield Desk(inbox, link, ledger, readings, states, health, clock)


def delivery(topic: str, payload: object) -> Delivery:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Delivery(f"sharpeyes/v1/{topic}", raw, False, 1, 1)


def press(seq: int, key: str = "call", box: str = "box-1") -> Delivery:
    return delivery(f"callbox/{box}/event", {"boot": "b", "seq": seq, "key": key})


def reading(seq: int, value: float, unit: str = "m") -> Delivery:
    fields = {"boot": "b", "seq": seq, "metric": "water_level", "value": value, "unit": unit}
    return delivery("sensor/gauge-1/reading", fields)


async def test_a_press_is_in_the_ledger_before_broker_and_box_are_told(desk: Desk) -> None:
    pressed = press(1)
    await desk.deal_with(pressed)
    assert await desk.calls() == 1
    assert desk.link.settled == [pressed]
    assert desk.link.sent[-1] == Outgoing("sharpeyes/v1/callbox/box-1/cmd", b'{"cmd":"ack","boot":"b","seq":1}')


async def test_a_box_hears_that_its_press_is_safe_before_it_hears_what_it_did(desk: Desk) -> None:
    await desk.deal_with(press(1))
    desk.link.sent.clear()
    await desk.deal_with(press(2, "hangup"))
    assert desk.link.commands() == ["ack", "closed"]


async def test_repeats_within_one_batch_open_one_call_and_each_is_acknowledged(desk: Desk) -> None:
    await desk.deal_with(press(1), press(1), press(1))
    assert await desk.calls() == 1
    assert desk.link.commands().count("ack") == 3


@pytest.mark.parametrize("box", ["nobody", "box-off"])
async def test_a_box_that_is_unknown_or_switched_off_gets_no_answer_and_costs_no_retry(desk: Desk, box: str) -> None:
    await desk.deal_with(press(1, box=box))
    assert desk.link.sent == []
    assert len(desk.link.settled) == 1
    assert desk.states.known(box) is None


async def test_rubbish_is_settled_and_shown_on_the_box_until_it_speaks_well(desk: Desk) -> None:
    await desk.deal_with(delivery("callbox/box-1/event", b"rubbish"))
    state = desk.states.known("box-1")
    assert state is not None
    assert (state.code, len(desk.link.settled), desk.link.sent) == ("bad_message", 1, [])
    assert "not JSON" in state.reason.en
    await desk.deal_with(press(1))
    assert desk.states.known("box-1").code == "ready"  # type: ignore[union-attr]


async def test_nothing_is_settled_while_the_ledger_takes_nothing_and_all_is_when_it_does(desk: Desk) -> None:
    desk.readings.is_away = True
    dealing = asyncio.create_task(desk.deal_with(press(1), reading(1, 1.5)))
    await eventually(lambda: not desk.health.is_ready(), what="the ledger to be said away")
    assert desk.link.settled == []
    assert "disk full" in desk.health.parts()["bridge ledger"].reason
    desk.readings.is_away = False
    desk.clock.advance(5)
    await dealing
    assert desk.readings.values == [1.5]
    assert len(desk.link.settled) == 2
    assert desk.link.commands().count("ack") == 1
    assert desk.health.is_ready()


async def test_a_message_that_meets_a_fault_of_ours_is_settled_alone_and_the_others_are_dealt_with(desk: Desk) -> None:
    failed = _failed()
    desk.readings.poison = 1.5
    batch = (reading(1, 1.5), press(1), reading(2, 2.5), reading(3, 1.5))
    with capture_logs() as logs:
        await desk.deal_with(*batch)
    assert desk.link.settled == list(batch)
    assert (desk.readings.values, await desk.calls(), desk.link.commands()) == ([2.5], 1, ["ack"])
    assert _failed() - failed == 2
    [line] = [line for line in logs if line["event"] == "message failed"]
    assert isinstance(line["exc_info"], ZeroDivisionError)


async def test_a_press_that_the_desk_refuses_keeps_no_other_press_out(desk: Desk) -> None:
    desk.inbox.desk._places = cast(Places, Unplaced("box-1"))
    await desk.deal_with(press(1), reading(1, 1.5))
    assert (len(desk.link.settled), desk.link.commands(), desk.readings.values) == (2, [], [1.5])


async def test_a_message_that_cannot_even_be_looked_at_costs_itself_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(sensor: Sensor, reading: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("ingest.device_inbox.check_reading", fail)
    await desk.deal_with(reading(1, 1.5), press(1))
    assert (len(desk.link.settled), desk.link.commands()) == (2, ["ack"])


def _failed() -> float:
    return metrics.mqtt_messages.labels("reading", "failed")._value.get()


async def test_a_reading_that_comes_twice_counts_once_and_a_new_boot_starts_anew(desk: Desk) -> None:
    await desk.deal_with(reading(5, 1.0), reading(5, 1.0), reading(4, 9.0), reading(6, 2.0))
    rebooted = delivery(
        "sensor/gauge-1/reading", {"boot": "c", "seq": 1, "metric": "water_level", "value": 3.0, "unit": "m"}
    )
    await desk.deal_with(rebooted)
    assert desk.readings.values == [1.0, 2.0, 3.0]


async def test_a_reading_in_the_wrong_unit_degrades_the_sensor(desk: Desk) -> None:
    await desk.deal_with(reading(1, 240.0, unit="cm"))
    state = desk.states.known("gauge-1")
    assert state is not None
    assert state.code == "bad_message"
    assert desk.readings.values == []


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"state": "ready"}, "ready"),
        ({"state": "ready", "battery": 0.19}, "battery_low"),
        ({"state": "lost"}, "lost"),
    ],
)
async def test_what_a_box_says_of_itself_becomes_its_state(desk: Desk, report: dict[str, object], code: str) -> None:
    await desk.deal_with(delivery("callbox/box-1/state", report))
    state = desk.states.known("box-1")
    assert state is not None
    assert state.code == code


async def test_a_low_battery_is_shown_until_the_device_says_that_it_is_full(desk: Desk) -> None:
    await desk.deal_with(delivery("sensor/gauge-1/state", {"state": "ready", "battery": 0.1}))
    await desk.deal_with(reading(1, 1.0))
    assert _code_of(desk, "gauge-1") == "battery_low"
    await desk.deal_with(delivery("sensor/gauge-1/state", {"state": "ready", "battery": 0.9}))
    assert _code_of(desk, "gauge-1") == "ready"


async def test_a_press_of_a_box_that_was_lost_shows_that_it_works_again(desk: Desk) -> None:
    await desk.deal_with(delivery("callbox/box-1/state", {"state": "lost"}))
    await desk.deal_with(press(1))
    assert _code_of(desk, "box-1") == "ready"


def _code_of(desk: Desk, device_id: str) -> str:
    state = desk.states.known(device_id)
    assert state is not None
    return state.code


async def test_a_box_that_is_back_is_told_where_its_call_stands(desk: Desk) -> None:
    await desk.deal_with(press(1))
    await desk.deal_with(press(2, "hangup"))
    desk.link.sent.clear()
    await desk.deal_with(delivery("callbox/box-1/state", {"state": "ready"}))
    assert desk.link.commands() == ["closed"]


async def test_a_topic_outside_the_contract_is_settled_and_dropped(desk: Desk) -> None:
    stray = Delivery("sharpeyes/v1/camera/x/event", b"{}", False, 1, 1)
    await desk.deal_with(stray)
    assert desk.link.settled == [stray]


async def test_the_path_of_a_site_runs_from_the_root_and_ends_even_in_a_loop() -> None:
    looped = {
        "a": Site(site_id="a", name="a", level=SiteLevel.VILLAGE, parent_id="b"),
        "b": Site(site_id="b", name="b", level=SiteLevel.TOWNSHIP, parent_id="a"),
    }
    assert len(Known(sites=looped).site_path("a")) <= 3
    tree = {
        "a": Site(site_id="a", name="a", level=SiteLevel.VILLAGE, parent_id="b"),
        "b": Site(site_id="b", name="b", level=SiteLevel.TOWNSHIP),
    }
    assert [site.site_id for site in Known(sites=tree).site_path("a")] == ["b", "a"]
