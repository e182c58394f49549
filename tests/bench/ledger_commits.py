"""Durable changes a second: the ledger's group commit beside one SQLite commit for each change, on the same disk.

A change is what a key press makes: an alert's first revision, its message in the outbox, and the mark against repeats.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from alerts.call_revision import open_call
from alerts.contract import SiteRef
from alerts.ledger import Ledger
from alerts.ledger_tables import open_ledger_file
from alerts.ledger_txn import LedgerTxn
from alerts.places import Place
from devices.model import DeviceKind, SiteLevel
from runtime.clock import SystemClock
from tests.bench.figure import Effort, Figure, Samples

OWNER = "bench"
CALLERS = 256
SITE = SiteRef(site_id="village", name="东村", level=SiteLevel.VILLAGE)

Change = Callable[[LedgerTxn], None]


def measure(effort: Effort) -> list[Figure]:
    together, alone, baseline = [], [], []
    window_s = effort.window_s / 3
    for _ in range(effort.turns):
        baseline.append(sqlite_rate(window_s))
        together.append(asyncio.run(ledger_rate(window_s, CALLERS)))
        alone.append(asyncio.run(ledger_rate(window_s, 1)))
    return [
        Figure(
            what=f"durable changes, {callers} waiting at a time",
            unit="changes/s",
            ours=Samples(what="Ledger.apply, fsync before it returns", values=values),
            baseline=Samples(what="the same statements in SQLite, one commit each", values=baseline),
            note="more is better",
        )
        for callers, values in ((CALLERS, together), (1, alone))
    ]


def presses() -> Iterator[Change]:
    """Changes without end, each of another call box."""
    clock = SystemClock()
    for number in itertools.count():
        yield _press(f"box-{number}", clock.now_ns())


def _press(box_id: str, now_ns: int) -> Change:
    place = Place(box_id, DeviceKind.CALLBOX, "王奶奶家", (SITE,))

    def change(txn: LedgerTxn) -> None:
        txn.once(f"press/{box_id}/boot", "1")
        if txn.open_call(box_id) is None:
            txn.put(open_call(place, OWNER, now_ns))

    return change


async def ledger_rate(window_s: float, callers: int) -> float:
    """Changes a second with `callers` tasks that each wait for their change."""
    changes = presses()
    done = 0

    async def call(ledger: Ledger, until_s: float) -> None:
        nonlocal done
        while time.monotonic() < until_s:
            await ledger.apply(next(changes))
            done += 1

    with tempfile.TemporaryDirectory(prefix="sharpeyes-bench-") as folder:
        async with Ledger(Path(folder) / "bench.db", OWNER) as ledger:
            began_s = time.monotonic()
            await asyncio.gather(*(call(ledger, began_s + window_s) for _ in range(callers)))
            return done / (time.monotonic() - began_s)


def sqlite_rate(window_s: float) -> float:
    """Changes a second, one transaction each, synchronous=FULL in WAL as the ledger's own file."""
    done, clock = 0, SystemClock()
    with tempfile.TemporaryDirectory(prefix="sharpeyes-bench-") as folder:
        sql = open_ledger_file(Path(folder) / "bench.db")
        began_s = time.monotonic()
        for change in presses():
            sql.execute("BEGIN IMMEDIATE")
            change(LedgerTxn(sql, OWNER, clock))
            sql.execute("COMMIT")
            done += 1
            if time.monotonic() > began_s + window_s:
                break
        took_s = time.monotonic() - began_s
        sql.close()
    return done / took_s
