"""The contract of the alert store, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import inspect

from alerts.contract import AlertKind, AlertStatus, AlertV1, CallStep, Change, DeviceCondition, DeviceStateV1, SiteRef
from alerts.revision import revise
from alerts.store import AlertFilter, AlertStore, DeviceRemoved
from alerts.wording import call as call_words
from devices.model import DeviceKind, Severity, SiteLevel
from runtime.clock import NS_PER_S, utc
from runtime.errors import InvalidInputError, NotFoundError, UnavailableError
from runtime.sql import create_sql_engine, sqlite_url
from tests.servers.fixtures import Factory
from tests.servers.postgres import Postgres
from tests.unit.alerts.examples import T0_NS, camera_alert


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "sharpeyes.db")
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.create_database()


@pytest.fixture
def store(database_url: str) -> Iterator[AlertStore]:
    engine = create_sql_engine(database_url)
    opened = AlertStore(engine)
    opened.migrate()
    yield opened
    engine.dispose()


def ids(found: object) -> list[str]:
    return [alert.alert_id for alert in found]  # type: ignore[attr-defined]


def test_the_highest_revision_wins_in_whatever_order_they_come(store: AlertStore) -> None:
    first = camera_alert()
    second = revise(first, Change.ACKNOWLEDGED, T0_NS + NS_PER_S, status=AlertStatus.ACKNOWLEDGED)
    assert store.save([second]) == 1
    assert store.save([first]) == 1
    assert store.get(first.alert_id) == second
    assert store.history(first.alert_id) == [first, second]


def test_a_repeated_revision_is_stored_once(store: AlertStore) -> None:
    alert = camera_alert()
    assert store.save([alert, alert]) == 1
    assert store.save([alert]) == 0
    assert store.history(alert.alert_id) == [alert]


def test_an_alert_that_does_not_exist_is_not_found(store: AlertStore) -> None:
    with pytest.raises(NotFoundError, match="no alert"):
        store.get("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert store.history("01ARZ3NDEKTSV4RRFFQ69G5FAV") == []


def test_pages_walk_through_all_alerts_newest_first(store: AlertStore) -> None:
    made = [camera_alert(opened_ns=T0_NS + n * NS_PER_S) for n in range(7)]
    store.save(made)
    walked: list[str] = []
    cursor: str | None = None
    while True:
        page = store.list(AlertFilter(), limit=3, cursor=cursor)
        walked += ids(page.alerts)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert walked == ids(reversed(made))


def village(name: str) -> tuple[SiteRef, ...]:
    return (
        SiteRef(site_id="county", name="县", level=SiteLevel.COUNTY),
        SiteRef(site_id=name, name=name, level=SiteLevel.VILLAGE),
    )


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AlertFilter(), ["a", "b"]),
        (AlertFilter(status=AlertStatus.OPEN), ["a"]),
        (AlertFilter(kind=AlertKind.LOITERING), ["b"]),
        (AlertFilter(severity=Severity.CRITICAL), ["b"]),
        (AlertFilter(device_id="cam-a"), ["a"]),
        (AlertFilter(site_id="county"), ["a", "b"]),
        (AlertFilter(site_id="east"), ["a"]),
        (AlertFilter(since_ns=T0_NS + NS_PER_S), ["b"]),
        (AlertFilter(until_ns=T0_NS + NS_PER_S), ["a"]),
        (AlertFilter(text="求助"), ["b"]),
        (AlertFilter(text="100%"), []),
        (AlertFilter(site_id="county", status=AlertStatus.CLOSED), []),
    ],
)
def test_a_filter_takes_what_matches_and_nothing_else(
    store: AlertStore, wanted: AlertFilter, expected: list[str]
) -> None:
    a = camera_alert(device_id="cam-a", sites=village("east"))
    b = camera_alert(
        device_id="cam-b",
        sites=village("west"),
        opened_ns=T0_NS + NS_PER_S,
        kind=AlertKind.LOITERING,
        severity=Severity.CRITICAL,
        status=AlertStatus.RESOLVED,
        summary=call_words("李家", CallStep.OPEN, "西村"),
    )
    store.save([a, b])
    names = {a.alert_id: "a", b.alert_id: "b"}
    assert sorted(names[found] for found in ids(store.list(wanted).alerts)) == expected


def test_an_id_prefix_finds_its_alert(store: AlertStore) -> None:
    alert = camera_alert()
    store.save([alert])
    assert ids(store.list(AlertFilter(id_prefix=alert.alert_id[:20])).alerts) == [alert.alert_id]
    assert ids(store.list(AlertFilter(id_prefix="7ZZZ")).alerts) == []
    assert ids(store.list(AlertFilter(id_prefix="%")).alerts) == []


def test_following_changes_misses_no_revision(store: AlertStore) -> None:
    first = camera_alert()
    store.save([first])
    seen = store.last_change()
    second = revise(first, Change.UPDATED, T0_NS)
    other = camera_alert(opened_ns=T0_NS + NS_PER_S)
    store.save([second, other])
    store.save([first])
    followed = store.after(seen)
    assert [stored.alert for stored in followed] == [second, other]
    assert store.after(followed[-1].change_number) == []
    assert [stored.alert for stored in store.after(0, limit=1)] == [first]


def state(condition: DeviceCondition, device_id: str = "cam-1") -> DeviceStateV1:
    return DeviceStateV1(
        device_id=device_id,
        device_kind=DeviceKind.CAMERA,
        condition=condition,
        code="x",
        reason=call_words("a", CallStep.OPEN, "b"),
        since=utc(T0_NS),
    )


def test_the_last_state_of_a_device_is_kept(store: AlertStore) -> None:
    store.save_device_states([state(DeviceCondition.ONLINE), state(DeviceCondition.OFFLINE)])
    store.save_device_states([state(DeviceCondition.DEGRADED, "cam-2")])
    assert [(s.device_id, s.condition) for s in store.device_states()] == [("cam-1", "offline"), ("cam-2", "degraded")]


def test_a_device_that_was_removed_has_no_state_until_it_reports_again(store: AlertStore) -> None:
    online, removed = state(DeviceCondition.ONLINE), DeviceRemoved("cam-1")
    store.save_device_states([online, state(DeviceCondition.ONLINE, "cam-2")])
    store.save_device_states([removed, DeviceRemoved("never-there")])
    assert [s.device_id for s in store.device_states()] == ["cam-2"]
    store.save_device_states([removed, online])
    assert [s.device_id for s in store.device_states()] == ["cam-1", "cam-2"]
    store.save_device_states([online, removed])
    assert [s.device_id for s in store.device_states()] == ["cam-2"]


def test_characters_that_databases_dislike_are_kept(store: AlertStore) -> None:
    alert = camera_alert(device_name="a\0b'\"%_\\😀")
    store.save([alert])
    assert store.get(alert.alert_id).device_name == "a\0b'\"%_\\😀"


def test_what_no_column_can_hold_is_refused_and_nothing_of_it_stored(store: AlertStore) -> None:
    good = camera_alert()
    bad = msgspec.structs.replace(camera_alert(), revision=2**70)
    with pytest.raises(InvalidInputError):
        store.save([good, bad])
    assert store.list(AlertFilter()).alerts == []


def test_migrations_go_down_and_up_again(database_url: str) -> None:
    engine = create_sql_engine(database_url)
    store = AlertStore(engine)
    store.migrate()
    store.save([camera_alert()])
    store.migrate("base")
    assert "alerts" not in inspect(engine).get_table_names()
    store.migrate()
    store.migrate()
    assert store.list(AlertFilter()).alerts == []
    engine.dispose()


def test_the_migrated_tables_are_those_of_the_code(store: AlertStore, database_url: str) -> None:
    from alerts.tables import metadata

    found = inspect(create_sql_engine(database_url))
    for table in metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
        assert {index["name"] for index in found.get_indexes(table.name) if not index["unique"]} == {
            index.name for index in table.indexes
        }


def test_a_database_that_is_away_says_so_without_its_password(own_postgres: Factory[Postgres]) -> None:
    server = own_postgres()
    store = AlertStore(create_sql_engine(server.url))
    store.migrate()
    server.kill()
    with pytest.raises(UnavailableError) as caught:
        store.save([camera_alert()])
    assert "word" not in str(caught.value)
    server.start()
    alert: AlertV1 = camera_alert()
    assert store.save([alert]) == 1
