"""The alert store on SQLite or PostgreSQL: the highest revision of every alert, all revisions, device states.

Calls block on the database; asyncio code runs them in a thread. They raise `UnavailableError` when it is away,
`NotFoundError`, and `InvalidInputError` for what no database can hold (then nothing of that call is stored).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError

from alerts.contract import AlertKind, AlertStatus, AlertV1, DeviceStateV1
from alerts.tables import alert_changes, alert_revisions, alert_sites, alerts, device_states
from devices.model import Severity
from runtime.clock import to_ns
from runtime.errors import InvalidInputError, NotFoundError
from runtime.sql import create_sql_engine, database_errors, migrate, sqlite_url

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version_alerts"
DATABASE_FILE = "sharpeyes.db"

MAX_LIMIT = 1000
"""Alerts in one answer: about 1.5 MB."""

_encoder = msgspec.json.Encoder()
_alert_decoder = msgspec.json.Decoder(AlertV1)
_state_decoder = msgspec.json.Decoder(DeviceStateV1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """All that are given must hold. `site_id` takes the alerts of that site and of all below it."""

    status: AlertStatus | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None
    device_id: str | None = None
    site_id: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    text: str | None = None
    id_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Alerts, newest first; `next_cursor` asks for the ones after, None when there are none."""

    alerts: Sequence[AlertV1]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """One revision and its number in the order of storing."""

    change_number: int
    alert: AlertV1


@dataclass(frozen=True, slots=True)
class DeviceRemoved:
    """In place of a state: the device was taken out of the registry."""

    device_id: str


def open_alert_store(url: str | None, data: Path) -> "AlertStore":
    """Open `url`, or `<data>/sharpeyes.db` when it is None, and bring its tables up to date."""
    store = AlertStore(create_sql_engine(url if url is not None else sqlite_url(data / DATABASE_FILE)))
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store


class AlertStore:
    """On an engine whose tables are there, or after `migrate`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    def migrate(self, target: str = "head") -> None:
        """Bring the tables to this version."""
        migrate(self._engine, MIGRATIONS, VERSION_TABLE, target)

    def close(self) -> None:
        """Drop the connections."""
        self._engine.dispose()

    def save(self, revisions: Sequence[AlertV1]) -> int:
        """Store revisions that are not there yet, all or none; returns how many were new."""
        by_id = {(alert.alert_id, alert.revision): alert for alert in revisions}
        try:
            with database_errors(self._engine), self._engine.begin() as connection:
                return self._save(connection, by_id)
        except (DataError, OverflowError) as error:
            raise InvalidInputError(f"alert cannot be stored: {type(error).__name__}") from None

    def _save(self, connection: Connection, by_id: dict[tuple[str, int], AlertV1]) -> int:
        first = connection.execute(
            update(alert_changes).values(number=alert_changes.c.number + len(by_id)).returning(alert_changes.c.number)
        ).scalar_one() - len(by_id)
        ids = {alert_id for alert_id, _ in by_id}
        known = connection.execute(
            select(alert_revisions.c.alert_id, alert_revisions.c.revision).where(alert_revisions.c.alert_id.in_(ids))
        )
        new = [by_id[key] for key in sorted(by_id.keys() - {(row.alert_id, row.revision) for row in known})]
        if not new:
            return 0
        bodies = {(alert.alert_id, alert.revision): _encoder.encode(alert).decode() for alert in new}
        self._upsert_highest(connection, new, bodies)
        connection.execute(
            self._insert(alert_revisions),
            [
                {
                    "alert_id": alert.alert_id,
                    "revision": alert.revision,
                    "change_number": first + count,
                    "body": bodies[alert.alert_id, alert.revision],
                }
                for count, alert in enumerate(new, 1)
            ],
        )
        self._add_sites(connection, new)
        return len(new)

    def _upsert_highest(
        self, connection: Connection, new: Sequence[AlertV1], bodies: dict[tuple[str, int], str]
    ) -> None:
        highest = {alert.alert_id: alert for alert in sorted(new, key=lambda alert: alert.revision)}
        insert = self._insert(alerts)
        changed = {column.name: insert.excluded[column.name] for column in alerts.c if column.name != "alert_id"}
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[alerts.c.alert_id],
                set_=changed,
                where=alerts.c.revision < insert.excluded.revision,
            ),
            [_row(alert, bodies[alert.alert_id, alert.revision]) for alert in highest.values()],
        )

    def _add_sites(self, connection: Connection, new: Sequence[AlertV1]) -> None:
        rows = {(site.site_id, alert.alert_id) for alert in new for site in alert.sites}
        if rows:
            connection.execute(
                self._insert(alert_sites).on_conflict_do_nothing(),
                [{"site_id": site_id, "alert_id": alert_id} for site_id, alert_id in sorted(rows)],
            )

    def get(self, alert_id: str) -> AlertV1:
        """The highest revision of an alert."""
        with database_errors(self._engine), self._engine.connect() as connection:
            body = connection.execute(select(alerts.c.body).where(alerts.c.alert_id == alert_id)).scalar()
        if body is None:
            raise NotFoundError(f"there is no alert {alert_id[:40]!r}")
        return _alert_decoder.decode(body)

    def history(self, alert_id: str) -> Sequence[AlertV1]:
        """Every revision of an alert that came, oldest first; empty when there is none."""
        query = select(alert_revisions.c.body).where(alert_revisions.c.alert_id == alert_id)
        with database_errors(self._engine), self._engine.connect() as connection:
            bodies = connection.execute(query.order_by(alert_revisions.c.revision)).scalars().all()
        return [_alert_decoder.decode(body) for body in bodies]

    def list(self, wanted: AlertFilter, limit: int = 50, cursor: str | None = None) -> Page:
        """Alerts that match, newest first, at most `limit` (and MAX_LIMIT)."""
        limit = max(1, min(limit, MAX_LIMIT))
        query = _matching(wanted)
        if cursor is not None:
            query = query.where(alerts.c.alert_id < cursor)
        with database_errors(self._engine), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(alerts.c.alert_id.desc()).limit(limit + 1)).all()
        page = [_alert_decoder.decode(row.body) for row in rows[:limit]]
        return Page(page, page[-1].alert_id if len(rows) > limit else None)

    def last_change(self) -> int:
        """The number of the newest stored revision."""
        with database_errors(self._engine), self._engine.connect() as connection:
            return int(connection.execute(select(alert_changes.c.number)).scalar_one())

    def after(self, change_number: int, limit: int = 500) -> Sequence[StoredRevision]:
        """The revisions stored after `change_number`, in the order they were stored."""
        query = select(alert_revisions.c.change_number, alert_revisions.c.body)
        query = query.where(alert_revisions.c.change_number > change_number)
        with database_errors(self._engine), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(alert_revisions.c.change_number).limit(limit)).all()
        return [StoredRevision(row.change_number, _alert_decoder.decode(row.body)) for row in rows]

    def save_device_states(self, states: Sequence[DeviceStateV1 | DeviceRemoved]) -> None:
        """Keep the last of these states of each device; one whose last word is its removal goes."""
        latest = {state.device_id: state for state in states}
        removed = sorted(device_id for device_id, state in latest.items() if isinstance(state, DeviceRemoved))
        try:
            with database_errors(self._engine), self._engine.begin() as connection:
                if removed:
                    connection.execute(delete(device_states).where(device_states.c.device_id.in_(removed)))
                self._put_device_states(connection, [s for s in latest.values() if isinstance(s, DeviceStateV1)])
        except DataError as error:
            raise InvalidInputError(f"device state cannot be stored: {type(error).__name__}") from None

    def _put_device_states(self, connection: Connection, states: Sequence[DeviceStateV1]) -> None:
        insert = self._insert(device_states)
        rows = [
            {"device_id": state.device_id, "condition": state.condition, "body": _encoder.encode(state).decode()}
            for state in sorted(states, key=lambda state: state.device_id)
        ]
        changed = {name: insert.excluded[name] for name in ("condition", "body")}
        if rows:
            connection.execute(
                insert.on_conflict_do_update(index_elements=[device_states.c.device_id], set_=changed), rows
            )

    def device_states(self) -> Sequence[DeviceStateV1]:
        """The latest state of every device of the registry that ever reported, by device id."""
        with database_errors(self._engine), self._engine.connect() as connection:
            bodies = connection.execute(select(device_states.c.body).order_by(device_states.c.device_id)).scalars()
            return [_state_decoder.decode(body) for body in bodies]


def _row(alert: AlertV1, body: str) -> dict[str, object]:
    text = f"{alert.summary.zh}\n{alert.summary.en}\n{alert.device_name}"
    return {
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "status": alert.status,
        "kind": alert.kind,
        "severity": alert.severity,
        "device_id": alert.device_id,
        "opened_ns": to_ns(alert.opened_at),
        "text": text.replace("\0", ""),  # PostgreSQL's texts cannot hold it; in `body` it stands escaped
        "body": body,
    }


def _matching(wanted: AlertFilter) -> Select[tuple[str, str]]:
    query = select(alerts.c.alert_id, alerts.c.body)
    for column in ("status", "kind", "severity", "device_id"):
        value = getattr(wanted, column)
        if value is not None:
            query = query.where(alerts.c[column] == value)
    if wanted.site_id is not None:
        query = query.join(alert_sites, alert_sites.c.alert_id == alerts.c.alert_id)
        query = query.where(alert_sites.c.site_id == wanted.site_id)
    if wanted.since_ns is not None:
        query = query.where(alerts.c.opened_ns >= wanted.since_ns)
    if wanted.until_ns is not None:
        query = query.where(alerts.c.opened_ns < wanted.until_ns)
    if wanted.text:
        query = query.where(alerts.c.text.icontains(wanted.text, autoescape=True))
    if wanted.id_prefix:
        query = query.where(alerts.c.alert_id.startswith(wanted.id_prefix, autoescape=True))
    return query
