"""What the ledger forgets, in small steps on its writer thread, so that the file stays bounded.

Sent messages leave the outbox when they are marked sent. Here go, oldest first: finished alerts after
FINISHED_KEPT_S (the alert store has them; until then a late case update finds its owner), alerts that nobody
ever handled after UNHANDLED_KEPT_S (never an open call), and duplicate keys by age and by number.
"""

import sqlite3

from alerts.contract import AlertKind
from runtime.clock import NS_PER_S

DAY_S = 86_400
FINISHED_KEPT_S = 30 * DAY_S
UNHANDLED_KEPT_S = 90 * DAY_S

KEYS_KEPT_S = 30 * DAY_S
"""A device repeats an event every few seconds until it is acknowledged; a month covers a box that was unplugged."""

KEYS_KEPT = 1_000_000
"""About 100 MB. At one press a second over all boxes it reaches back 11 days, at 5,000 a second over three minutes."""

STEP_ROWS = 500
"""A step is short beside the commit it follows, so nobody waits for it."""


class Pruner:
    """Walks over the alerts in the order of their ids, STEP_ROWS a step, round and round: that needs no index."""

    def __init__(self) -> None:
        self._reached = ""

    def step(self, sql: sqlite3.Connection, now_ns: int) -> bool:
        """Delete what is old among the next rows; True when there may be more to delete at once."""
        by_age = _prune_keys_by_age(sql, now_ns - KEYS_KEPT_S * NS_PER_S)
        by_number = _prune_keys_by_number(sql)
        return max(self._prune_alerts(sql, now_ns), by_age, by_number) >= STEP_ROWS

    def _prune_alerts(self, sql: sqlite3.Connection, now_ns: int) -> int:
        rows = sql.execute(
            "SELECT alert_id, finished, kind, updated_ns FROM alerts WHERE alert_id > ? ORDER BY alert_id LIMIT ?",
            (self._reached, STEP_ROWS),
        ).fetchall()
        self._reached = rows[-1][0] if len(rows) == STEP_ROWS else ""
        old = [
            (alert_id,)
            for alert_id, finished, kind, updated_ns in rows
            if _is_old(bool(finished), kind, (now_ns - updated_ns) / NS_PER_S)
        ]
        sql.executemany("DELETE FROM alerts WHERE alert_id = ?", old)
        return len(old)


def _is_old(finished: bool, kind: str, age_s: float) -> bool:
    if finished:
        return age_s > FINISHED_KEPT_S
    return kind != AlertKind.CALL and age_s > UNHANDLED_KEPT_S


def _prune_keys_by_age(sql: sqlite3.Connection, before_ns: int) -> int:
    oldest = sql.execute("SELECT number, seen_ns FROM seen ORDER BY number LIMIT ?", (STEP_ROWS,)).fetchall()
    expired = [number for number, seen_ns in oldest if seen_ns < before_ns]
    if not expired:
        return 0
    return sql.execute("DELETE FROM seen WHERE number <= ?", (expired[-1],)).rowcount


def _prune_keys_by_number(sql: sqlite3.Connection) -> int:
    newest = sql.execute("SELECT max(number) FROM seen").fetchone()[0]
    if newest is None:
        return 0
    return sql.execute(
        "DELETE FROM seen WHERE number IN (SELECT number FROM seen WHERE number <= ? ORDER BY number LIMIT ?)",
        (newest - KEYS_KEPT, STEP_ROWS),
    ).rowcount
