"""The ledger: what a change may and may not do, and what is on the disk after it."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alerts.bus import MAX_VALUE_BYTES, Message
from alerts.call_revision import open_call
from alerts.contract import AlertKind, AlertStatus, Change, ClipState
from alerts.ledger import Ledger
from alerts.ledger_pruning import FINISHED_KEPT_S, KEYS_KEPT_S, UNHANDLED_KEPT_S
from alerts.ledger_txn import LedgerTxn
from alerts.revision import revise
from runtime.clock import NS_PER_S, FakeClock
from runtime.errors import ConfigurationError, ConflictError, InvalidInputError, UnavailableError
from tests.unit.alerts.examples import T0_NS, box_place, camera_alert


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(T0_NS)


@pytest.fixture
async def ledger(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Ledger]:
    async with Ledger(tmp_path / "ledger.db", "worker", clock) as opened:
        yield opened


def message(value: bytes = b"{}") -> Message:
    return Message("topic", "key", value, (("a", b"\xff"),))


async def test_an_alert_and_its_event_are_stored_together(ledger: Ledger) -> None:
    alert = camera_alert()
    await ledger.apply(lambda txn: txn.put(alert))
    assert await ledger.apply(lambda txn: txn.alert(alert.alert_id)) == alert
    rows = await ledger.apply(lambda txn: txn.waiting(10))
    assert [(row.alert_id, row.revision) for row in rows] == [(alert.alert_id, 1)]
    assert dict(rows[0].message.headers)["ce_id"] == f"{alert.alert_id}.1".encode()


async def test_only_the_next_revision_is_taken(ledger: Ledger) -> None:
    alert = camera_alert()
    await ledger.apply(lambda txn: txn.put(alert))
    second = revise(alert, Change.UPDATED, T0_NS)
    third = revise(second, Change.UPDATED, T0_NS)
    for wrong in (alert, third):
        with pytest.raises(ConflictError):
            await ledger.apply(lambda txn, wrong=wrong: txn.put(wrong))  # type: ignore[misc]
    await ledger.apply(lambda txn: txn.put(second))
    assert len(await ledger.apply(lambda txn: txn.waiting(10))) == 2


async def test_a_change_that_fails_leaves_nothing_and_spares_its_neighbours(ledger: Ledger) -> None:
    good, bad = camera_alert(), camera_alert()

    def fails(txn: LedgerTxn) -> None:
        txn.put(bad)
        raise InvalidInputError("no")

    results = await asyncio.gather(ledger.apply(lambda txn: txn.put(good)), ledger.apply(fails), return_exceptions=True)
    assert isinstance(results[1], InvalidInputError)
    assert await ledger.apply(lambda txn: txn.alert(bad.alert_id)) is None
    assert await ledger.apply(lambda txn: txn.alert(good.alert_id)) == good
    assert len(await ledger.apply(lambda txn: txn.waiting(10))) == 1


async def test_a_box_has_at_most_one_open_call(ledger: Ledger) -> None:
    first, second = (open_call(box_place(), "bridge", T0_NS) for _ in range(2))
    await ledger.apply(lambda txn: txn.put(first))
    with pytest.raises(ConflictError):
        await ledger.apply(lambda txn: txn.put(second))
    assert await ledger.apply(lambda txn: txn.open_call("box-1")) == first


async def test_a_key_is_new_once(ledger: Ledger) -> None:
    asked = [("a", "1"), ("a", "1"), ("a", "2"), ("b", "1")]
    answers = [await ledger.apply(lambda txn, pair=pair: txn.once(*pair)) for pair in asked]  # type: ignore[misc]
    assert answers == [True, False, True, True]


async def test_messages_leave_in_the_order_they_were_queued(ledger: Ledger) -> None:
    await asyncio.gather(
        *(ledger.apply(lambda txn, n=n: txn.publish(message(str(n).encode()))) for n in range(600))  # type: ignore[misc]
    )
    rows = await ledger.apply(lambda txn: txn.waiting(1000))
    assert [int(row.message.value) for row in rows] == list(range(600))
    await ledger.apply(lambda txn: txn.sent(rows[499].number))
    left = await ledger.apply(lambda txn: txn.waiting(1000))
    assert [row.number for row in left] == [row.number for row in rows[500:]]
    assert left[0].message.headers == (("a", b"\xff"),)


async def test_a_message_too_large_for_the_bus_is_refused_before_it_can_block_the_outbox(ledger: Ledger) -> None:
    with pytest.raises(InvalidInputError, match="does not fit"):
        await ledger.apply(lambda txn: txn.publish(message(b"x" * (MAX_VALUE_BYTES + 1))))
    assert await ledger.apply(lambda txn: txn.waiting_count()) == 0


async def test_unfinished_alerts_are_those_that_await_something(ledger: Ledger) -> None:
    opened = camera_alert()
    resolved = camera_alert(status=AlertStatus.RESOLVED)
    clip_due = camera_alert(status=AlertStatus.RESOLVED, clip_state=ClipState.PENDING)
    call = open_call(box_place(), "worker", T0_NS)
    for alert in (opened, resolved, clip_due, call):
        await ledger.apply(lambda txn, alert=alert: txn.put(alert))  # type: ignore[misc]
    unfinished = await ledger.apply(lambda txn: txn.unfinished())
    assert {alert.alert_id for alert in unfinished} == {opened.alert_id, clip_due.alert_id, call.alert_id}
    assert await ledger.apply(lambda txn: txn.unfinished(AlertKind.CALL)) == [call]


async def test_a_change_that_still_waits_for_room_when_the_ledger_closes_is_refused(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.ledger.MAX_WAITING", 1)
    ledger, may_go_on = Ledger(tmp_path / "l.db", "worker", clock), threading.Event()
    await ledger.open()
    first = asyncio.create_task(ledger.apply(lambda _: may_go_on.wait()))
    late = [asyncio.create_task(ledger.apply(lambda txn: txn.once("a", "1"))) for _ in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(ledger.close())
    await asyncio.sleep(0)
    may_go_on.set()
    assert await first
    await closing
    answers = await asyncio.wait_for(asyncio.gather(*late, return_exceptions=True), 5)
    assert [type(answer) for answer in answers] == [UnavailableError, UnavailableError]


async def test_everything_is_there_after_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    alert = camera_alert()
    async with Ledger(tmp_path / "l.db", "worker", clock) as ledger:
        await ledger.apply(lambda txn: (txn.put(alert), txn.once("a", "1"), txn.remember("s", "k", b"v")))
    async with Ledger(tmp_path / "l.db", "worker", clock) as ledger:
        assert ledger.outbox_filled.is_set(), "the relay must look at what was left"
        assert await ledger.apply(lambda txn: txn.unfinished()) == [alert]
        assert await ledger.apply(lambda txn: txn.once("a", "1")) is False
        assert await ledger.apply(lambda txn: txn.recall("s")) == {"k": b"v"}
        assert len(await ledger.apply(lambda txn: txn.waiting(10))) == 1


async def test_closing_finishes_what_waits(tmp_path: Path, clock: FakeClock) -> None:
    ledger = Ledger(tmp_path / "l.db", "worker", clock)
    await ledger.open()
    waiting = [asyncio.create_task(ledger.apply(lambda txn: txn.publish(message()))) for _ in range(50)]
    await asyncio.sleep(0)
    await ledger.close()
    await asyncio.gather(*waiting)
    with pytest.raises(UnavailableError, match="closed"):
        await ledger.apply(lambda txn: None)


async def test_a_flood_waits_instead_of_filling_memory(ledger: Ledger) -> None:
    waiting = [asyncio.create_task(ledger.apply(lambda txn: txn.once("a", "1"))) for _ in range(2100)]
    await asyncio.sleep(0)
    assert len(ledger._queue) <= 2048
    assert sum(await asyncio.gather(*waiting)) == 1


async def test_a_cancelled_caller_disturbs_nobody(ledger: Ledger) -> None:
    cancelled = asyncio.create_task(ledger.apply(lambda txn: txn.once("a", "1")))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await ledger.apply(lambda txn: txn.once("b", "1"))


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UnavailableError, match=r"data folder writable"):
        await Ledger(tmp_path / "data" / "l.db", "worker").open()


async def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "l.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationError, match="not a ledger"):
        await Ledger(tmp_path / "l.db", "worker").open()


async def test_a_full_disk_refuses_the_change_and_takes_the_next_when_there_is_room(ledger: Ledger) -> None:
    assert ledger._sql is not None
    pages = ledger._sql.execute("PRAGMA page_count").fetchone()[0]
    ledger._sql.execute(f"PRAGMA max_page_count = {pages}")  # SQLite answers SQLITE_FULL, as on a full disk
    alert = camera_alert()
    big = message(os.urandom(200_000))
    with pytest.raises(UnavailableError, match="free disk space"):
        await ledger.apply(lambda txn: (txn.put(alert), txn.publish(big)))
    assert await ledger.apply(lambda txn: txn.alert(alert.alert_id)) is None
    await ledger.apply(lambda txn: (txn.put(alert), txn.publish(big)))
    assert await ledger.apply(lambda txn: txn.alert(alert.alert_id)) == alert


async def age(ledger: Ledger, clock: FakeClock, passed_s: float) -> None:
    clock.advance(passed_s)
    await ledger.apply(lambda txn: None)  # pruning follows a commit


async def test_old_alerts_and_keys_go_away_and_open_calls_never(ledger: Ledger, clock: FakeClock) -> None:
    finished = camera_alert(status=AlertStatus.RESOLVED)
    unhandled = camera_alert()
    call = open_call(box_place(), "worker", T0_NS)
    await ledger.apply(lambda txn: [txn.put(alert) for alert in (finished, unhandled, call)])
    await ledger.apply(lambda txn: txn.once("a", "1"))
    await age(ledger, clock, FINISHED_KEPT_S - 1)
    assert await ledger.apply(lambda txn: txn.alert(finished.alert_id)) is not None
    await age(ledger, clock, 120)
    assert await ledger.apply(lambda txn: txn.alert(finished.alert_id)) is None
    assert await ledger.apply(lambda txn: txn.alert(unhandled.alert_id)) is not None
    await age(ledger, clock, UNHANDLED_KEPT_S)
    assert await ledger.apply(lambda txn: txn.alert(unhandled.alert_id)) is None
    assert await ledger.apply(lambda txn: txn.open_call("box-1")) == call


async def test_a_key_is_forgotten_after_its_time_and_no_sooner(ledger: Ledger, clock: FakeClock) -> None:
    await ledger.apply(lambda txn: txn.once("a", "1"))
    await age(ledger, clock, KEYS_KEPT_S - 1)
    assert await ledger.apply(lambda txn: txn.once("a", "1")) is False
    await age(ledger, clock, 120)
    assert await ledger.apply(lambda txn: txn.once("a", "1")) is True


async def test_keys_are_bounded_in_number(ledger: Ledger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.ledger_pruning.KEYS_KEPT", 10)
    await ledger.apply(lambda txn: [txn.once("a", str(n)) for n in range(1200)])
    for _ in range(4):
        await age(ledger, clock, 61)
    assert await ledger.apply(lambda txn: [txn.once("a", str(n)) for n in range(1189, 1200)]) == [True] + [False] * 10


async def test_times_of_alerts_come_from_the_clock(ledger: Ledger, clock: FakeClock) -> None:
    clock.advance(5)
    assert await ledger.apply(lambda txn: txn.now_ns) == T0_NS + 5 * NS_PER_S


async def test_an_unforeseen_failure_of_the_writer_leaves_nobody_waiting(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "_count", lambda made: 1 / 0)
    with pytest.raises(UnavailableError, match="division"):
        await ledger.apply(lambda txn: txn.once("a", "1"))
    monkeypatch.undo()
    assert await ledger.apply(lambda txn: txn.once("b", "1"))
