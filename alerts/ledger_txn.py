"""What a change may do inside the ledger: read and revise alerts, remove duplicates, queue messages.

A `LedgerTxn` lives on the ledger's writer thread, only while `Ledger.apply` runs its function. Alerts go in with their
CloudEvent in the same transaction. Raises `ConflictError` for a revision that is not the next one or a second open
call of one box, `InvalidInputError` for a message too large for the bus.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from alerts.bus import Headers, Message, check_size
from alerts.cloudevents import alert_message
from alerts.contract import AlertKind, AlertStatus, AlertV1, ClipState
from runtime.clock import Clock, to_ns
from runtime.errors import ConflictError

_alert_decoder = msgspec.json.Decoder(AlertV1)
_headers_encoder = msgspec.msgpack.Encoder()
_headers_decoder = msgspec.msgpack.Decoder(Headers)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A committed message that is not on the bus yet. `alert_id` and `revision` are set for alerts."""

    number: int
    message: Message
    alert_id: str | None
    revision: int | None


def is_finished(alert: AlertV1) -> bool:
    """Whether nothing more is awaited: closed, or resolved (a call waits for its thumb), and no clip on its way."""
    if alert.clip_state is ClipState.PENDING:
        return False
    if alert.kind is AlertKind.CALL:
        return alert.status is AlertStatus.CLOSED
    return alert.status in {AlertStatus.RESOLVED, AlertStatus.CLOSED}


class LedgerTxn:
    """One change. Do not keep it, do not use it outside the function that `apply` runs."""

    def __init__(self, connection: sqlite3.Connection, owner: str, clock: Clock) -> None:
        self._sql = connection
        self._clock = clock
        self.owner = owner
        self.queued = 0
        self.revisions: list[tuple[str, str]] = []

    @property
    def now_ns(self) -> int:
        """UTC now, for the alert's times."""
        return self._clock.now_ns()

    def alert(self, alert_id: str) -> AlertV1 | None:
        """The latest revision of an alert this process owns; None when it owns no such alert (any more)."""
        row = self._sql.execute("SELECT body FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
        return None if row is None else _alert_decoder.decode(row[0])

    def open_call(self, device_id: str) -> AlertV1 | None:
        """The call of this box that is not closed: rung, answered, dispatched or waiting for its rating."""
        row = self._sql.execute(
            "SELECT body FROM alerts WHERE device_id = ? AND kind = 'call' AND finished = 0", (device_id,)
        ).fetchone()
        return None if row is None else _alert_decoder.decode(row[0])

    def latest_call(self, device_id: str) -> AlertV1 | None:
        """The open call of this box, else the one that was opened last."""
        row = self._sql.execute(
            "SELECT body FROM alerts WHERE device_id = ? AND kind = 'call' ORDER BY finished, alert_id DESC LIMIT 1",
            (device_id,),
        ).fetchone()
        return None if row is None else _alert_decoder.decode(row[0])

    def unfinished(self, kind: AlertKind | None = None) -> list[AlertV1]:
        """The alerts that still await something, oldest first; all kinds unless one is named."""
        rows = self._sql.execute(
            "SELECT body FROM alerts WHERE finished = 0 AND (?1 IS NULL OR kind = ?1) ORDER BY alert_id", (kind,)
        ).fetchall()
        return [_alert_decoder.decode(row[0]) for row in rows]

    def put(self, alert: AlertV1) -> None:
        """Store the next revision of an alert and queue its message; revision 1 makes it."""
        message = alert_message(alert)
        finished = is_finished(alert)
        updated_ns = to_ns(alert.updated_at)
        try:
            if alert.revision == 1:
                self._sql.execute(
                    "INSERT INTO alerts (alert_id, revision, device_id, kind, finished, updated_ns, body)"
                    " VALUES (?, 1, ?, ?, ?, ?, ?)",
                    (alert.alert_id, alert.device_id, alert.kind, finished, updated_ns, message.value),
                )
                stored = 1
            else:
                stored = self._sql.execute(
                    "UPDATE alerts SET revision = ?1, finished = ?2, updated_ns = ?3, body = ?4"
                    " WHERE alert_id = ?5 AND revision = ?1 - 1",
                    (alert.revision, finished, updated_ns, message.value, alert.alert_id),
                ).rowcount
        except sqlite3.IntegrityError:
            raise ConflictError(f"alert {alert.alert_id}: exists already, or its box has an open call") from None
        if stored != 1:
            raise ConflictError(f"alert {alert.alert_id}: revision {alert.revision} is not the next one")
        self._queue(message, alert.alert_id, alert.revision)
        self.revisions.append((alert.kind, alert.change))

    def publish(self, message: Message) -> None:
        """Queue a message for the bus; it leaves after everything queued before it."""
        check_size(message)
        self._queue(message, None, None)

    def _queue(self, message: Message, alert_id: str | None, revision: int | None) -> None:
        headers = _headers_encoder.encode(message.headers)
        self._sql.execute(
            "INSERT INTO outbox (topic, key, value, headers, alert_id, revision) VALUES (?, ?, ?, ?, ?, ?)",
            (message.topic, message.key, message.value, headers, alert_id, revision),
        )
        self.queued += 1

    def once(self, scope: str, key: str) -> bool:
        """True the first time this (scope, key) comes, False when it came before. See `alerts.ledger_pruning`."""
        inserted = self._sql.execute(
            "INSERT INTO seen (scope, key, seen_ns) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (scope, key, self._clock.now_ns()),
        )
        return inserted.rowcount == 1

    def remember(self, scope: str, key: str, value: bytes) -> None:
        """Keep a small value under a name of this process; replaces the one before."""
        self._sql.execute(
            "INSERT INTO memory (scope, key, value) VALUES (?, ?, ?)"
            " ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
            (scope, key, value),
        )

    def recall(self, scope: str) -> dict[str, bytes]:
        """Everything remembered in `scope`, by key."""
        return dict(self._sql.execute("SELECT key, value FROM memory WHERE scope = ?", (scope,)).fetchall())

    def forget(self, scope: str, key: str) -> None:
        """Drop a remembered value."""
        self._sql.execute("DELETE FROM memory WHERE scope = ? AND key = ?", (scope, key))

    def waiting(self, limit: int) -> Sequence[OutboxRow]:
        """The oldest messages that are not on the bus yet, at most `limit`, in the order they were queued."""
        rows = self._sql.execute(
            "SELECT number, topic, key, value, headers, alert_id, revision FROM outbox ORDER BY number LIMIT ?",
            (limit,),
        ).fetchall()
        return [
            OutboxRow(number, Message(topic, key, value, _headers_decoder.decode(headers)), alert_id, revision)
            for number, topic, key, value, headers, alert_id, revision in rows
        ]

    def sent(self, up_to_number: int) -> int:
        """Drop the messages up to this number from the outbox: the bus has them. Returns how many."""
        return self._sql.execute("DELETE FROM outbox WHERE number <= ?", (up_to_number,)).rowcount

    def waiting_count(self) -> int:
        """How many messages are not on the bus yet."""
        # They leave in the order of their numbers, so the numbers have no gap; a count would read every message.
        newest, oldest = self._sql.execute(
            "SELECT (SELECT max(number) FROM outbox), (SELECT min(number) FROM outbox)"
        ).fetchone()
        return 0 if newest is None else newest - oldest + 1

    def waiting_alert_ids(self) -> set[str]:
        """The alerts with at least one revision that is not on the bus yet."""
        rows = self._sql.execute("SELECT DISTINCT alert_id FROM outbox WHERE alert_id IS NOT NULL").fetchall()
        return {row[0] for row in rows}
