"""The auditor of case updates: what is malformed or about nobody's alert is dead-lettered, with the reason."""

import asyncio

from alerts.bus import Message, Received
from alerts.case_audit import CHECK_EVERY_S, GRACE_S, CaseUpdateAuditor
from alerts.cloudevents import case_update_message
from alerts.contract import TOPIC_CASE_UPDATES, AlertV1, CaseStatus, CaseUpdateV1
from runtime.clock import FakeClock, utc
from runtime.errors import NotFoundError
from tests.unit.alerts.examples import T0_NS, camera_alert
from tests.unit.alerts.fakes import MemoryBus
from tests.waiting import eventually

ALERT = camera_alert()


class Store:
    def __init__(self, *alerts: AlertV1) -> None:
        self.alerts = {alert.alert_id: alert for alert in alerts}
        self.asked = 0

    def get(self, alert_id: str) -> AlertV1:
        self.asked += 1
        if alert_id not in self.alerts:
            raise NotFoundError(alert_id)
        return self.alerts[alert_id]


def received(alert_id: str, offset: int = 0) -> Received:
    update = CaseUpdateV1(update_id="u", alert_id=alert_id, status=CaseStatus.ACCEPTED, at=utc(T0_NS))
    return Received(case_update_message(update, "test"), 3, offset)


def reason(letter: Message) -> str:
    return dict(letter.headers)["dlq_reason"].decode()


async def test_an_update_to_a_known_alert_passes() -> None:
    auditor = CaseUpdateAuditor(MemoryBus(), Store(ALERT), FakeClock())
    assert await auditor.audit([received(ALERT.alert_id)]) == []


async def test_a_malformed_update_is_dead_lettered_whole_with_where_it_stood() -> None:
    auditor = CaseUpdateAuditor(MemoryBus(), Store(), FakeClock())
    original = Message(TOPIC_CASE_UPDATES, "k", b"{oops", (("trace", b"\x01"),))
    [letter] = await auditor.audit([Received(original, 3, 17)])
    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == (TOPIC_CASE_UPDATES + ".dlq", "k", b"{oops")
    assert "cannot be read" in reason(letter)
    assert (headers["trace"], headers["dlq_partition"], headers["dlq_offset"]) == (b"\x01", b"3", b"17")


async def test_a_huge_update_is_refused_and_only_its_beginning_kept() -> None:
    auditor = CaseUpdateAuditor(MemoryBus(), Store(), FakeClock())
    [letter] = await auditor.audit([Received(Message(TOPIC_CASE_UPDATES, "k", b"x" * 10_000_000), 0, 0)])
    assert len(letter.value) < 1_000_000
    assert dict(letter.headers)["dlq_size_bytes"] == b"10000000"


async def test_an_update_that_overtook_the_store_is_waited_for() -> None:
    clock, store = FakeClock(), Store()
    auditing = asyncio.create_task(CaseUpdateAuditor(MemoryBus(), store, clock).audit([received(ALERT.alert_id)]))
    await eventually(lambda: store.asked == 1)
    store.alerts[ALERT.alert_id] = ALERT

    def is_done() -> bool:
        clock.advance(CHECK_EVERY_S)
        return auditing.done()

    await eventually(is_done)
    assert clock.monotonic_s() < GRACE_S
    assert await auditing == []


async def test_an_update_to_an_alert_nobody_knows_is_dead_lettered_after_the_grace() -> None:
    clock = FakeClock()
    store = Store(ALERT)
    unknown = camera_alert().alert_id
    batch = [received(ALERT.alert_id), received(unknown)]
    auditing = asyncio.create_task(CaseUpdateAuditor(MemoryBus(), store, clock).audit(batch))

    def is_done() -> bool:
        clock.advance(CHECK_EVERY_S)
        return auditing.done()

    await eventually(is_done)
    assert clock.monotonic_s() >= GRACE_S
    assert [reason(letter) for letter in await auditing] == [f"unknown alert {unknown}"]
