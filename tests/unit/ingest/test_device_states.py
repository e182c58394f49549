from pathlib import Path

import msgspec
import pytest

from alerts.contract import DeviceCondition, DeviceStateV1, Text
from alerts.ledger import Ledger
from devices.model import DeviceKind
from ingest.device_states import DeviceStates
from runtime.clock import FakeClock
from runtime.errors import UnavailableError

WORDS = Text(zh="原因", en="reason")


def say(states: DeviceStates, code: str, condition: DeviceCondition = DeviceCondition.ONLINE) -> None:
    states.report("box-1", DeviceKind.CALLBOX, condition, code, WORDS)


async def told(ledger: Ledger) -> list[DeviceStateV1]:
    rows = await ledger.apply(lambda txn: txn.waiting(100))
    return [msgspec.json.decode(row.message.value, type=DeviceStateV1) for row in rows]


async def test_only_changes_are_told_and_a_flapping_device_costs_one_message_a_round(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "l.db", "me") as ledger:
        states = DeviceStates(ledger, FakeClock())
        for code in ("ready", "bad_message", "ready", "bad_message", "lost"):
            say(states, code)
        await states.flush()
        say(states, "lost")
        await states.flush()
        assert [state.code for state in await told(ledger)] == ["lost"]


async def test_a_restart_repeats_nothing_and_keeps_the_time_of_the_change(tmp_path: Path) -> None:
    clock = FakeClock()
    async with Ledger(tmp_path / "l.db", "me", clock) as ledger:
        before = DeviceStates(ledger, clock)
        say(before, "ready")
        await before.flush()
        clock.advance(60)
        after = DeviceStates(ledger, clock)
        await after.restore()
        say(after, "ready")
        await after.flush()
        assert len(await told(ledger)) == 1
        assert after.known("box-1") == before.known("box-1")


async def test_a_device_taken_out_of_the_registry_leaves_the_topic_by_a_tombstone_once(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "l.db", "me") as ledger:
        states = DeviceStates(ledger, FakeClock())
        say(states, "ready")
        await states.flush()
        for _ in range(2):
            states.retain(["box-2"])
            await states.flush()
        rows = await ledger.apply(lambda txn: txn.waiting(100))
        assert [(row.message.key, bool(row.message.value)) for row in rows] == [("box-1", True), ("box-1", False)]


async def test_a_device_taken_out_of_the_registry_is_forgotten_for_good(tmp_path: Path) -> None:
    async with Ledger(tmp_path / "l.db", "me") as ledger:
        states = DeviceStates(ledger, FakeClock())
        say(states, "ready")
        await states.flush()
        states.retain([])
        await states.flush()
        after = DeviceStates(ledger, FakeClock())
        await after.restore()
        assert after.known("box-1") is None


async def test_changes_wait_while_the_ledger_is_closed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db", "me")
    states = DeviceStates(ledger, FakeClock())
    say(states, "ready")
    await states.flush()
    with pytest.raises(UnavailableError):
        await ledger.apply(lambda txn: txn.waiting(1))
    async with ledger:
        await states.flush()
        assert [state.code for state in await told(ledger)] == ["ready"]
