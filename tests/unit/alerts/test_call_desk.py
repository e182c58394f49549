"""The call desk on a real ledger and a fake clock: presses, time-outs, words to the box, restarts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from alerts.call import BoxKey
from alerts.call_desk import BoxCommand, BoxPress, CallDesk, PressOutcome
from alerts.call_revision import step_of
from alerts.contract import AlertV1, CallOutcome, CallStep
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn
from alerts.places import Places
from alerts.settings import CallSettings
from devices.model import CallBox, Site, SiteLevel
from runtime import metrics
from runtime.clock import FakeClock
from runtime.errors import NotFoundError, UnavailableError
from tests.unit.alerts.examples import T0_NS
from tests.waiting import eventually


class Registry:
    """Three levels and some boxes."""

    def revision(self) -> int:
        return 1

    def sites(self) -> Sequence[Site]:
        return [
            Site(site_id="county", name="青山县", level=SiteLevel.COUNTY),
            Site(site_id="town", name="河口镇", level=SiteLevel.TOWNSHIP, parent_id="county"),
            Site(site_id="village", name="柳树村", level=SiteLevel.VILLAGE, parent_id="town"),
        ]

    def callboxes(self) -> Sequence[CallBox]:
        return [CallBox(callbox_id=f"box-{n}", name=f"{n}号户", site_id="village") for n in (1, 2)]


class Desk:
    """A desk with what is around it; `restart` is a new process on the same ledger file."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path = path
        self.clock = clock
        self.heard: list[tuple[str, str]] = []
        self.seq = 0
        self.is_link_down = False

    async def start(self) -> None:
        self.ledger = Ledger(self.path, "bridge", self.clock)
        await self.ledger.open()
        self.desk = CallDesk(self.ledger, Places(Registry(), self.clock), self.clock, CallSettings(), self.tell)
        self.run = asyncio.create_task(self.desk.run())

    async def stop(self) -> None:
        self.run.cancel()
        await asyncio.gather(self.run, return_exceptions=True)
        await self.ledger.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def tell(self, callbox_id: str, command: BoxCommand) -> None:
        if self.is_link_down:
            raise UnavailableError("no link")
        self.heard.append((callbox_id, str(command.step)))

    async def press(self, key: BoxKey, box: str = "box-1") -> PressOutcome:
        self.seq += 1
        return await self.desk.press(BoxPress(box, "boot", self.seq, key, self.clock.now_ns()))

    async def publish(self) -> None:
        """What the relay does, without a bus."""
        rows = await self.ledger.apply(lambda txn: txn.waiting(1000))
        await self.desk.published(rows)
        if rows:
            await self.ledger.apply(lambda txn: txn.sent(rows[-1].number))

    async def call(self, box: str = "box-1") -> AlertV1:
        latest = await self.ledger.apply(lambda txn: txn.latest_call(box))
        assert latest is not None
        return latest

    async def step(self) -> CallStep:
        return step_of(await self.call())

    async def is_rung(self, site_id: str) -> bool:
        detail = (await self.call()).call
        return detail is not None and detail.site_id == site_id


@contextlib.asynccontextmanager
async def open_desk(folder: Path) -> AsyncIterator[Desk]:
    desk = Desk(folder / "bridge.ledger.db", FakeClock(T0_NS))
    await desk.start()
    try:
        yield desk
    finally:
        await desk.stop()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def ring(desk: Desk) -> None:
    await desk.press(BoxKey.CALL)
    await desk.publish()


async def test_a_call_rings_only_once_the_bus_has_it(desk: Desk) -> None:
    assert await desk.press(BoxKey.CALL) is PressOutcome.ACCEPTED
    assert await desk.step() is CallStep.OPEN
    assert desk.heard == []
    await desk.publish()
    assert await desk.step() is CallStep.RINGING
    assert desk.heard == [("box-1", "ringing")]


async def test_pressing_again_opens_no_second_call_and_the_box_is_told_where_it_stands(desk: Desk) -> None:
    await ring(desk)
    first = await desk.call()
    await desk.press(BoxKey.CALL)
    assert await desk.call() == first
    assert desk.heard == [("box-1", "ringing")] * 2


async def test_a_replayed_press_is_acknowledged_and_changes_nothing(desk: Desk) -> None:
    await ring(desk)
    before = await desk.call()
    desk.seq -= 1
    assert await desk.press(BoxKey.HANGUP) is PressOutcome.DUPLICATE
    assert await desk.call() == before


async def without_time_outs(desk: Desk) -> None:
    """End the task that changes the ledger by itself."""
    desk.run.cancel()
    await asyncio.gather(desk.run, return_exceptions=True)


def presses_of(desk: Desk, *pressed: tuple[str, BoxKey, int]) -> list[BoxPress]:
    return [BoxPress(box, "boot", seq, key, desk.clock.now_ns()) for box, key, seq in pressed]


async def test_presses_that_come_together_take_one_change_and_do_what_each_would_do_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_time_outs(desk)
    changes, apply, safe = [], desk.ledger.apply, []

    async def counted(fn: Callable[[LedgerTxn], Any]) -> Any:
        changes.append(fn)
        return await apply(fn)

    monkeypatch.setattr(desk.ledger, "apply", counted)
    call, hangup = BoxKey.CALL, BoxKey.HANGUP
    together = presses_of(desk, ("box-1", call, 1), ("box-2", call, 1), ("box-1", call, 1), ("box-1", hangup, 2))
    outcomes = await desk.desk.press_all(together, safe.append)
    assert [str(outcome) for outcome in outcomes] == ["accepted", "accepted", "duplicate", "accepted"]
    assert (len(changes), safe, desk.heard) == (1, together, [("box-1", "closed")])
    assert step_of(await desk.call("box-2")) is CallStep.OPEN


async def test_a_press_that_fails_among_others_fails_alone_and_a_box_keeps_the_order_of_its_presses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.call_desk.MAX_TOGETHER", 2)
    call, hangup, safe = BoxKey.CALL, BoxKey.HANGUP, []
    together = presses_of(desk, ("box-1", call, 1), ("stranger", call, 1), ("box-1", hangup, 2), ("box-2", call, 1))
    outcomes = await desk.desk.press_all(together, safe.append)
    assert isinstance(outcomes[1], NotFoundError)
    assert [outcomes[n] for n in (0, 2, 3)] == [PressOutcome.ACCEPTED] * 3
    assert safe == [together[0], *together[2:]]
    assert desk.heard == [("box-1", "closed")]


async def test_a_ledger_that_is_away_is_asked_once_for_all_that_come_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_time_outs(desk)
    asked = []

    async def refuse(fn: object) -> None:
        asked.append(fn)
        raise UnavailableError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(desk.ledger, "apply", refuse)
        outcomes = await desk.desk.press_all(presses_of(desk, *(("box-1", BoxKey.CALL, n) for n in range(9))), print)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 9
    assert len(asked) == 1


async def test_a_skipped_press_does_not_keep_the_next_one_out_and_is_counted(desk: Desk) -> None:
    await ring(desk)
    gaps = metrics.press_gaps._value.get()
    desk.seq += 5
    assert await desk.press(BoxKey.HANGUP) is PressOutcome.ACCEPTED
    assert await desk.step() is CallStep.CLOSED
    assert metrics.press_gaps._value.get() == gaps + 1


async def test_skipped_presses_by_the_thousand_are_all_counted_and_seldom_logged(desk: Desk) -> None:
    gaps = metrics.press_gaps._value.get()
    with capture_logs() as lines:
        for _ in range(100):
            desk.seq += 1
            await desk.press(BoxKey.CALL)
    assert metrics.press_gaps._value.get() == gaps + 99
    assert [line["event"] for line in lines].count("presses missing before this one") == 1


async def test_a_box_that_is_not_registered_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="stranger"):
        await desk.press(BoxKey.CALL, "stranger")


async def test_nobody_answers_so_the_call_goes_up_until_the_root(desk: Desk) -> None:
    await ring(desk)
    for site_id in ("town", "county"):
        await eventually(lambda: desk.clock.sleepers > 0)
        desk.clock.advance(29.9)
        assert not await desk.is_rung(site_id)
        desk.clock.advance(0.2)
        await eventually(lambda site_id=site_id: desk.is_rung(site_id))  # type: ignore[misc]
    revision = (await desk.call()).revision
    desk.clock.advance(3600)
    await desk.press(BoxKey.UP)
    assert (await desk.call()).revision == revision


async def test_an_answer_stops_the_escalation(desk: Desk) -> None:
    await ring(desk)
    await desk.press(BoxKey.HANGUP)
    desk.clock.advance(31)
    await desk.press(BoxKey.UP)
    call = await desk.call()
    assert call.call is not None
    assert (call.call.escalations, call.call.outcome) == (0, CallOutcome.ABANDONED)


async def answer_and_hang_up(desk: Desk) -> None:
    from alerts.call import Stimulus

    await ring(desk)
    await desk.desk._advance([(await desk.call()).alert_id], Stimulus.ACCEPTED)
    await desk.press(BoxKey.HANGUP)
    assert await desk.step() is CallStep.RATING


async def test_a_call_nobody_rates_is_closed_after_a_day(desk: Desk) -> None:
    await answer_and_hang_up(desk)
    desk.clock.advance(86_399)
    assert await desk.step() is CallStep.RATING
    desk.clock.advance(2)
    await eventually(lambda: is_closed(desk))
    assert desk.heard[-3:] == [("box-1", "answered"), ("box-1", "rate"), ("box-1", "closed")]


async def is_closed(desk: Desk) -> bool:
    return await desk.step() is CallStep.CLOSED


async def test_the_green_key_while_a_rating_is_awaited_opens_a_new_call(desk: Desk) -> None:
    await answer_and_hang_up(desk)
    old = await desk.call()
    await desk.press(BoxKey.CALL)
    new = await desk.call()
    assert (new.alert_id != old.alert_id, new.revision, step_of(new)) == (True, 1, CallStep.OPEN)
    closed = await desk.ledger.apply(lambda txn: txn.alert(old.alert_id))
    assert closed is not None
    assert closed.call is not None
    assert closed.call.outcome is CallOutcome.UNRATED


async def test_a_restart_carries_out_what_came_due_while_it_was_down(desk: Desk) -> None:
    await ring(desk)
    await desk.stop()
    desk.clock.advance(300)
    await desk.start()
    await eventually(lambda: desk.is_rung("town"))
    await eventually(lambda: desk.clock.sleepers > 0)
    desk.clock.advance(29)
    assert not await desk.is_rung("county"), "each level has its own 30 s, also after a restart"
    desk.clock.advance(2)
    await eventually(lambda: desk.is_rung("county"))


async def test_a_crash_between_the_bus_and_the_ringing_leaves_no_silent_call(desk: Desk) -> None:
    await desk.press(BoxKey.CALL)
    await desk.ledger.apply(lambda txn: txn.sent(txn.waiting(10)[-1].number))
    await desk.restart()
    await eventually(lambda: is_ringing(desk))


async def test_a_call_that_the_ledger_could_not_let_ring_rings_soon_after(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(fn: object) -> None:
        raise UnavailableError("disk full")

    await desk.press(BoxKey.CALL)
    rows = await desk.ledger.apply(lambda txn: txn.waiting(10))
    with monkeypatch.context() as patched:
        patched.setattr(desk.ledger, "apply", refuse)
        with pytest.raises(UnavailableError):
            await desk.desk.published(rows)
    assert await desk.step() is CallStep.OPEN
    desk.clock.advance(2)
    await eventually(lambda: is_ringing(desk))
    assert desk.heard == [("box-1", "ringing")]


async def is_ringing(desk: Desk) -> bool:
    return await desk.step() is CallStep.RINGING


async def test_a_call_that_is_not_on_the_bus_yet_stays_open_over_a_restart(desk: Desk) -> None:
    await desk.press(BoxKey.CALL)
    await desk.restart()
    await desk.press(BoxKey.UP)
    assert await desk.step() is CallStep.OPEN
    await desk.publish()
    assert await desk.step() is CallStep.RINGING


async def test_a_box_that_missed_a_word_is_told_again_when_it_comes_back(desk: Desk) -> None:
    desk.is_link_down = True
    await ring(desk)
    assert desk.heard == []
    desk.is_link_down = False
    await desk.desk.retell("box-1")
    await desk.desk.retell("box-2")
    assert desk.heard == [("box-1", "ringing")]


async def test_a_wall_clock_that_jumps_moves_no_deadline_of_a_running_desk(desk: Desk) -> None:
    await ring(desk)
    desk.clock.jump_wall(-7200)
    desk.clock.advance(31)
    await eventually(lambda: desk.is_rung("town"))
    desk.clock.jump_wall(+7200)
    desk.clock.advance(1)
    await desk.press(BoxKey.UP)
    assert not await desk.is_rung("county")


KEYS = st.sampled_from(BoxKey)
EVENTS = st.one_of(
    st.tuples(st.just("press"), st.sampled_from(["box-1", "box-2"]), KEYS),
    st.tuples(st.just("replay"), st.sampled_from(["box-1", "box-2"]), KEYS),
    st.tuples(st.just("publish"), st.just(""), st.just(BoxKey.CALL)),
    st.tuples(st.just("late"), st.just(""), st.just(BoxKey.CALL)),
    st.tuples(st.just("restart"), st.just(""), st.just(BoxKey.CALL)),
)


@given(events=st.lists(EVENTS, max_size=12))
def test_from_any_sequence_no_call_is_lost_and_none_is_open_twice(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, str, BoxKey]]
) -> None:
    asyncio.run(_play(tmp_path_factory.mktemp("desk"), events))


async def _play(folder: Path, events: list[tuple[str, str, BoxKey]]) -> None:
    async with open_desk(folder) as desk:
        for what, box, key in events:
            if what == "press":
                had_call = await desk.ledger.apply(lambda txn, box=box: txn.open_call(box))  # type: ignore[misc]
                await desk.press(key, box)
                now = await desk.ledger.apply(lambda txn, box=box: txn.open_call(box))  # type: ignore[misc]
                assert key is not BoxKey.CALL or now is not None, "a green key always leaves an open call"
                assert had_call is not None or key is BoxKey.CALL or now is None, "only the green key opens one"
            elif what == "replay":
                await desk.desk.press(BoxPress(box, "boot", desk.seq, key, desk.clock.now_ns()))
            elif what == "publish":
                await desk.publish()
            elif what == "late":
                desk.clock.advance(31)
                await asyncio.sleep(0)
            else:
                await desk.restart()
        rows = await desk.ledger.apply(lambda txn: txn.waiting(10_000))
        revisions: dict[str, list[int]] = {}
        for row in rows:
            revisions.setdefault(str(row.alert_id), []).append(row.revision or 0)
        for numbers in revisions.values():
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
