"""What the ledger forgets, in small steps on its writer thread, so that the file stays bounded.

Sent messages leave the outbox when they are marked sent. Here go, oldest first: finished alerts after
FINISHED_KEPT_S (the alert store has them; until then a late case update finds its owner), alerts that nobody
ever handled after UNHANDLED_KEPT_S (never an open call), and duplicate keys by age and by number.
"""

import sqlite3

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


def prune_step(sql: sqlite3.Connection, now_ns: int) -> bool:
    """Delete at most STEP_ROWS rows of each sort; True when there may be more to delete."""
    deleted = [
        _prune_alerts(sql, 1, now_ns - FINISHED_KEPT_S * NS_PER_S),
        _prune_alerts(sql, 0, now_ns - UNHANDLED_KEPT_S * NS_PER_S),
        _prune_keys_by_age(sql, now_ns - KEYS_KEPT_S * NS_PER_S),
        _prune_keys_by_number(sql),
    ]
    return max(deleted) >= STEP_ROWS


def _prune_alerts(sql: sqlite3.Connection, finished: int, before_ns: int) -> int:
    return sql.execute(
        "DELETE FROM alerts WHERE alert_id IN (SELECT alert_id FROM alerts WHERE finished = ? AND updated_ns < ?"
        " AND (finished = 1 OR kind <> 'call') ORDER BY updated_ns LIMIT ?)",
        (finished, before_ns, STEP_ROWS),
    ).rowcount


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
