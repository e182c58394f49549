"""A process that is killed with SIGKILL while it commits: what it had reported as committed is there, whole."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

from alerts.ledger import Ledger

WRITER = """
import asyncio, sys
from pathlib import Path
from alerts.call_revision import open_call
from alerts.ledger import Ledger
from tests.unit.alerts.examples import T0_NS, box_place

async def press(ledger, number):
    box = f"box-{number}"
    def change(txn):
        assert txn.once("press", box)
        txn.put(open_call(box_place(box), "bridge", T0_NS))
    await ledger.apply(change)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()

async def main():
    async with Ledger(Path(sys.argv[1]), "bridge") as ledger:
        number = int(sys.argv[2])
        while True:
            await asyncio.gather(*(press(ledger, number + n) for n in range(20)))
            number += 20

asyncio.run(main())
"""


def reported_before_kill(path: Path, first: int) -> list[int]:
    """Run the writer, kill it at a random instant, return what it had reported as committed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    reported = [int(process.stdout.readline()) for _ in range(random.randint(1, 400))]
    process.send_signal(signal.SIGKILL)
    reported += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    return reported


async def test_nothing_that_was_committed_is_lost_and_nothing_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "bridge.ledger.db"
    reported: list[int] = []
    for round_number in range(3):
        reported += await asyncio.to_thread(reported_before_kill, path, round_number * 1_000_000)
    async with Ledger(path, "bridge") as ledger:
        calls = await ledger.apply(lambda txn: txn.unfinished())
        rows = await ledger.apply(lambda txn: txn.waiting(1_000_000))
    stored = {call.device_id for call in calls}
    assert {f"box-{number}" for number in reported} <= stored
    assert sorted(call.alert_id for call in calls) == sorted(str(row.alert_id) for row in rows)
