"""Case updates at the owner: applied once, refused with a reason, passed over when they are not ours."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from alerts.bus import Message
from alerts.call import Stimulus
from alerts.call_revision import CallMoved, advance, open_call, step_of
from alerts.case_updates import MAX_CASE_UPDATE_BYTES, CaseUpdateConsumer, read_case_update
from alerts.cloudevents import case_update_message
from alerts.contract import TOPIC_CASE_UPDATES, AlertStatus, AlertV1, CallStep, CaseStatus, CaseUpdateV1
from alerts.ledger import Ledger
from runtime.clock import FakeClock, utc
from runtime.errors import InvalidInputError
from tests.unit.alerts.examples import T0_NS, box_place, camera_alert
from tests.unit.alerts.fakes import MemoryBus
from tests.waiting import eventually

DLQ = TOPIC_CASE_UPDATES + ".dlq"


class Around:
    """A consumer with its ledger and bus, running."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.bus = MemoryBus()
        self.moved: list[CallMoved] = []
        self._sent = 0
        self.consumer = CaseUpdateConsumer(ledger, self.bus, self._calls_moved)

    async def _calls_moved(self, calls: Sequence[CallMoved]) -> None:
        self.moved += calls

    async def put(self, alert: AlertV1) -> AlertV1:
        await self.ledger.apply(lambda txn: txn.put(alert))
        return alert

    async def say(self, alert_id: str, status: CaseStatus, update_id: str = "") -> None:
        update = CaseUpdateV1(
            update_id=update_id or f"u{self._sent}", alert_id=alert_id, status=status, at=utc(T0_NS), by="王芳"
        )
        await self.send(case_update_message(update, "test"))

    async def send(self, message: Message) -> None:
        self._sent += 1
        await self.bus.publish([message])
        await eventually(lambda: self.bus.committed == self._sent)

    async def now(self, alert: AlertV1) -> AlertV1:
        found = await self.ledger.apply(lambda txn: txn.alert(alert.alert_id))
        assert found is not None
        return found

    async def letters(self) -> list[Message]:
        rows = await self.ledger.apply(lambda txn: txn.waiting(100))
        return [row.message for row in rows if row.message.topic == DLQ]


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    async with Ledger(tmp_path / "l.db", "worker", FakeClock(T0_NS)) as ledger:
        made = Around(ledger)
        task = asyncio.create_task(made.consumer.run())
        yield made
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_update_becomes_the_next_revision(around: Around) -> None:
    alert = await around.put(camera_alert())
    await around.say(alert.alert_id, CaseStatus.ACCEPTED)
    await around.say(alert.alert_id, CaseStatus.RESOLVED)
    now = await around.now(alert)
    assert (now.revision, now.status) == (3, AlertStatus.RESOLVED)
    assert now.case is not None
    assert now.case.by == "王芳"


async def test_the_same_update_twice_counts_once(around: Around) -> None:
    alert = await around.put(camera_alert())
    for _ in range(2):
        await around.say(alert.alert_id, CaseStatus.ACCEPTED, "same")
    assert (await around.now(alert)).revision == 2
    assert await around.letters() == []


async def test_an_update_out_of_order_is_dead_lettered_once_with_the_reason(around: Around) -> None:
    alert = await around.put(camera_alert(status=AlertStatus.RESOLVED))
    for _ in range(2):
        await around.say(alert.alert_id, CaseStatus.ACCEPTED, "late")
    letters = await around.letters()
    assert len(letters) == 1
    assert dict(letters[0].headers)["dlq_reason"].startswith(b"out of order: the alert is resolved")
    assert read_case_update(letters[0].value).update_id == "late"
    assert (await around.now(alert)).revision == 1


async def test_the_alerts_of_others_are_passed_over(around: Around) -> None:
    await around.say("0" * 26, CaseStatus.ACCEPTED)
    assert await around.letters() == []


async def test_what_cannot_be_read_is_left_to_the_auditor(around: Around) -> None:
    await around.send(Message(TOPIC_CASE_UPDATES, "k", b"not json"))
    alert = await around.put(camera_alert())
    await around.say(alert.alert_id, CaseStatus.ACCEPTED)
    assert (await around.now(alert)).revision == 2
    assert await around.letters() == []


async def test_a_call_that_is_answered_reaches_the_desk(around: Around) -> None:
    opened = await around.put(open_call(box_place(), "worker", T0_NS))
    ringing = advance(opened, Stimulus.PUBLISHED, T0_NS)
    assert ringing is not None
    await around.put(ringing.alert)
    await around.say(opened.alert_id, CaseStatus.ACCEPTED)
    assert [(step_of(call.alert), call.tell) for call in around.moved] == [(CallStep.ANSWERED, "answered")]
    assert (await around.now(opened)).case is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"[]",
        b"NaN",
        b'{"update_id": 7}',
        b'{"update_id":"u","alert_id":"../../etc","status":"accepted","at":"2026-01-01T00:00:00Z"}',
        b'{"update_id":"u","alert_id":"00000000000000000000000000","status":"eaten","at":"2026-01-01T00:00:00Z"}',
        b'{"update_id":"u","alert_id":"00000000000000000000000000","status":"accepted","at":"2026-01-01T00:00:00"}',
        b'{"update_id":"u","alert_id":"00000000000000000000000000","status":"accepted","at":NaN}',
        b'{"update_id":"","alert_id":"00000000000000000000000000","status":"accepted","at":"2026-01-01T00:00:00Z"}',
        b'{"update_id":"u\xff","alert_id":"00000000000000000000000000","status":"accepted"}',
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
        b" " * (MAX_CASE_UPDATE_BYTES + 1),
    ],
)
def test_hostile_updates_are_refused_in_words(value: bytes) -> None:
    with pytest.raises(InvalidInputError, match="case update"):
        read_case_update(value)


def test_fields_that_nobody_knows_are_ignored() -> None:
    value = (
        b'{"update_id":"u","alert_id":"00000000000000000000000000","status":"accepted",'
        b'"at":"2026-01-01T08:00:00+08:00","priority":{"a":[1]}}'
    )
    assert read_case_update(value).at == utc(T0_NS)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_does_not_exist_in_utc_is_refused_in_words(at: str) -> None:
    value = f'{{"update_id":"u","alert_id":"{"0" * 26}","status":"accepted","at":"{at}"}}'
    with pytest.raises(InvalidInputError, match="case update"):
        read_case_update(value.encode())


def test_the_time_of_an_update_is_taken_over_in_utc() -> None:
    value = f'{{"update_id":"u","alert_id":"{"0" * 26}","status":"accepted","at":"2026-01-01T08:00:00+08:00"}}'
    assert read_case_update(value.encode()).at.isoformat() == "2026-01-01T00:00:00+00:00"
