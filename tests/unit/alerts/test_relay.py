"""The relay: everything in the outbox reaches the bus in order, whatever the bus does."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerts.bus import Message
from alerts.contract import TOPIC_ALERTS
from alerts.ledger import Ledger
from alerts.ledger_txn import OutboxRow
from alerts.relay import Relay
from runtime import metrics
from runtime.clock import FakeClock
from runtime.errors import UnavailableError
from runtime.health import Health
from tests.unit.alerts.examples import T0_NS, camera_alert
from tests.unit.alerts.fakes import MemoryBus
from tests.waiting import eventually


class Around:
    """A relay with its ledger and bus."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.bus = MemoryBus()
        self.health = Health()
        self.clock = FakeClock()
        self.relay = Relay("worker", ledger, self.bus, self.health, clock=self.clock)

    async def queue(self, *values: str) -> None:
        for value in values:
            message = Message("t", "k", value.encode())
            await self.ledger.apply(lambda txn, message=message: txn.publish(message))  # type: ignore[misc]

    def values(self) -> list[str]:
        return [message.value.decode() for message in self.bus.of("t")]

    async def waiting(self) -> int:
        return await self.ledger.apply(lambda txn: txn.waiting_count())


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    async with Ledger(tmp_path / "l.db", "worker", FakeClock(T0_NS)) as ledger:
        made = Around(ledger)
        yield made


@pytest.fixture
async def running(around: Around) -> AsyncIterator[Around]:
    task = asyncio.create_task(around.relay.run())
    yield around
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def is_drained(around: Around) -> bool:
    return await around.waiting() == 0


async def test_what_is_queued_is_published_in_order_and_leaves_the_outbox(running: Around) -> None:
    await running.queue(*"abcdef")
    await eventually(lambda: is_drained(running))
    assert "".join(running.values()) == "abcdef"


async def test_a_bus_that_is_away_loses_nothing_and_shows_in_health(running: Around) -> None:
    running.bus.is_away = True
    await running.queue("a", "b")
    await eventually(lambda: running.bus.refused >= 1)
    await eventually(lambda: "worker bus" in running.health.parts())
    assert running.health.parts()["worker bus"].reason == "bus away"
    assert await running.waiting() == 2
    running.bus.is_away = False

    def is_back() -> bool:
        running.clock.advance(5)
        return running.values() == ["a", "b"]

    await eventually(is_back)
    await eventually(lambda: running.health.parts()["worker bus"].well)


async def test_listeners_hear_of_alerts_with_id_and_revision_after_the_bus_has_them(running: Around) -> None:
    heard: list[tuple[str | None, int | None]] = []

    def listener(rows: Sequence[OutboxRow]) -> None:
        assert len(running.bus.of(TOPIC_ALERTS)) == 1
        heard.extend((row.alert_id, row.revision) for row in rows)

    running.relay.on_published(listener)
    alert = camera_alert()
    await running.ledger.apply(lambda txn: txn.put(alert))
    await eventually(lambda: heard == [(alert.alert_id, 1)])


async def test_a_listener_that_fails_stops_neither_the_relay_nor_the_others(running: Around) -> None:
    heard: list[int] = []

    async def fails(rows: Sequence[OutboxRow]) -> None:
        raise UnavailableError("no")

    running.relay.on_published(fails)
    running.relay.on_published(lambda rows: heard.append(len(rows)))
    await running.queue("a")
    await eventually(lambda: heard == [1])
    await running.queue("b")
    await eventually(lambda: heard == [1, 1])


async def test_a_listener_with_a_fault_neither_stops_the_relay_nor_makes_it_send_anything_twice(
    running: Around,
) -> None:
    def fails(rows: Sequence[OutboxRow]) -> None:
        raise ZeroDivisionError("a fault of ours")

    running.relay.on_published(fails)
    with capture_logs() as logs:
        await running.queue("a")
        await eventually(lambda: is_drained(running))
        await running.queue("b")
        await eventually(lambda: is_drained(running))
    assert running.values() == ["a", "b"]
    assert [type(line["exc_info"]) for line in logs if "listener" in line["event"]] == [ZeroDivisionError] * 2


async def test_listeners_hear_once_the_outbox_has_let_go_of_the_batch(running: Around) -> None:
    left: list[int] = []

    async def listener(rows: Sequence[OutboxRow]) -> None:
        left.append(await running.waiting())

    running.relay.on_published(listener)
    await running.queue("a")
    await eventually(lambda: left == [0])


async def test_relays_of_one_process_speak_for_their_own_ledger(running: Around, tmp_path: Path) -> None:
    async with Ledger(tmp_path / "other.db", "bridge", FakeClock(T0_NS)) as ledger:
        other = Relay("bridge", ledger, MemoryBus(), running.health, clock=running.clock)
        running.bus.is_away = True
        await running.queue("a", "b")
        await ledger.apply(lambda txn: txn.publish(Message("t", "k", b"c")))
        task = asyncio.create_task(other.run())
        await eventually(lambda: len(running.health.parts()) == 2)
        await eventually(lambda: shown_waiting("bridge") == 0)
        assert [running.health.parts()[f"{name} bus"].well for name in ("worker", "bridge")] == [False, True]
        assert shown_waiting("worker") == 2
        task.cancel()


async def test_the_gauge_follows_a_backlog_while_it_drains(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.relay.BATCH", 2)
    shown: list[float] = []
    around.relay.on_published(lambda rows: shown.append(shown_waiting("worker")))
    await around.queue(*"abcdef")
    task = asyncio.create_task(around.relay.run())
    await eventually(lambda: len(shown) == 3)
    task.cancel()
    assert shown == [4, 2, 0]


def shown_waiting(name: str) -> float:
    return metrics.outbox_waiting.labels(name)._value.get()


async def test_what_was_published_but_not_marked_before_a_crash_is_published_again(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(messages: Sequence[Message]) -> None:
        around.bus.sent += messages
        raise RuntimeError("killed here")

    await around.queue("a")
    with monkeypatch.context() as patched:
        patched.setattr(around.bus, "publish", crash)
        with pytest.raises(RuntimeError):
            await around.relay.run()
    again = Relay("worker", around.ledger, around.bus, around.health)
    task = asyncio.create_task(again.run())
    await eventually(lambda: is_drained(around))
    task.cancel()
    assert around.values() == ["a", "a"]


async def test_a_message_the_bus_refuses_for_good_holds_up_no_other(running: Around) -> None:
    running.bus.poison = b"bad"
    await running.queue("a", "bad", "b")
    await eventually(lambda: is_drained(running))
    assert running.values() == ["a", "b"]
    [letter] = running.bus.of("t.dlq")
    assert (letter.value, dict(letter.headers)["dlq_reason"]) == (b"bad", b"too large for this broker")
