"""One suite for the registry on SQLite and on PostgreSQL."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from devices.model import Credentials, DeviceKind, Secret, SiteLevel
from devices.secrets import open_secret_box
from devices.sql_registry import DATABASE_FILE, MIGRATIONS, VERSION_TABLE, SqlRegistry, open_registry
from devices.tables import metadata
from devices.validation import FieldError
from runtime.errors import ConfigurationError, ConflictError, NotFoundError, UnavailableError
from runtime.sql import create_sql_engine, migrate, sqlite_url
from tests.registry_records import PASSWORD, callbox, camera, full_camera, sensor, site, tree
from tests.servers import postgres as postgres_server
from tests.servers.fixtures import Factory
from tests.servers.postgres import Postgres
from tests.waiting import wait_until


@dataclass(frozen=True)
class Database:
    """An empty database of one kind, and the data folder beside it."""

    url: str | None
    data: Path

    @property
    def sql_url(self) -> str:
        return self.url or sqlite_url(self.data / DATABASE_FILE)

    def open(self) -> SqlRegistry:
        return open_registry(self.url, self.data, open_secret_box(None, self.data))

    def dump(self) -> str:
        """Everything the tables hold, as text."""
        engine = create_sql_engine(self.sql_url)
        with engine.connect() as connection:
            rows = [row for table in metadata.sorted_tables for row in connection.execute(table.select())]
        engine.dispose()
        return repr(rows)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(None, tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return Database(server.create_database(), tmp_path)


@pytest.fixture
def registry(database: Database) -> Iterator[SqlRegistry]:
    opened = database.open()
    opened.put_all(tree())
    yield opened
    opened.close()


def test_what_is_put_comes_back_whole(registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    registry.put_callbox(callbox("box"))
    registry.put_sensor(sensor("gauge"))
    assert registry.camera("cam") == full_camera("cam")
    assert registry.callbox("box") == callbox("box")
    assert registry.sensor("gauge") == sensor("gauge")
    assert registry.site("town") == tree()[1]


def test_what_is_put_is_there_after_opening_again(database: Database, registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    again = database.open()
    assert again.cameras() == (full_camera("cam"),)
    assert again.revision() == registry.revision()
    again.close()


def test_put_replaces_the_whole_record(registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    registry.put_camera(camera("cam"))
    assert registry.camera("cam") == camera("cam")
    assert len(registry.cameras()) == 1


def test_lists_are_ordered_by_id_and_hold_their_kind_alone(registry: SqlRegistry) -> None:
    registry.put_all([camera("b"), callbox("c"), camera("a"), sensor("d")])
    assert [found.camera_id for found in registry.cameras()] == ["a", "b"]
    assert [found.callbox_id for found in registry.callboxes()] == ["c"]
    assert [found.sensor_id for found in registry.sensors()] == ["d"]
    assert [found.site_id for found in registry.sites()] == ["county", "town", "village"]
    assert list(registry.device_kinds().items()) == [
        ("a", DeviceKind.CAMERA),
        ("b", DeviceKind.CAMERA),
        ("c", DeviceKind.CALLBOX),
        ("d", DeviceKind.SENSOR),
    ]


@pytest.mark.parametrize(
    "write",
    [
        lambda registry: registry.put_site(site("new")),
        lambda registry: registry.put_camera(camera("cam")),
        lambda registry: registry.put_all([callbox("x"), sensor("y")]),
        lambda registry: registry.remove_sensor("gauge"),
    ],
)
def test_every_write_raises_the_revision_by_one(registry: SqlRegistry, write: Callable[[SqlRegistry], None]) -> None:
    registry.put_sensor(sensor("gauge"))
    before = registry.revision()
    write(registry)
    assert registry.revision() == before + 1


def test_a_refused_write_changes_nothing(registry: SqlRegistry) -> None:
    before = registry.revision()
    with pytest.raises(FieldError):
        registry.put_all([callbox("good"), callbox("bad", site_id="nowhere")])
    assert registry.callboxes() == ()
    assert registry.revision() == before


def test_what_is_not_there_is_not_found(registry: SqlRegistry) -> None:
    registry.put_callbox(callbox("box"))
    for look in (registry.camera, registry.callbox, registry.sensor, registry.site, registry.site_path):
        with pytest.raises(NotFoundError, match="ghost"):
            look("ghost")
    for remove in (registry.remove_camera, registry.remove_callbox, registry.remove_sensor, registry.remove_site):
        with pytest.raises(NotFoundError, match="ghost"):
            remove("ghost")
    with pytest.raises(NotFoundError, match="box"):
        registry.remove_camera("box")


def test_removed_devices_are_gone_and_their_id_is_free(registry: SqlRegistry) -> None:
    registry.put_camera(camera("one"))
    registry.remove_camera("one")
    assert registry.cameras() == ()
    registry.put_callbox(callbox("one"))
    assert registry.callbox("one") == callbox("one")


def test_an_id_belongs_to_one_kind_of_device(registry: SqlRegistry) -> None:
    registry.put_camera(camera("one"))
    with pytest.raises(ConflictError, match=r"one.*camera"):
        registry.put_callbox(callbox("one"))
    with pytest.raises(ConflictError, match="two"):
        registry.put_all([callbox("two"), sensor("two")])
    assert registry.callboxes() == ()


def test_a_device_needs_a_site_that_exists(registry: SqlRegistry) -> None:
    with pytest.raises(FieldError, match="nowhere") as caught:
        registry.put_camera(camera("cam", "nowhere"))
    assert caught.value.path == "site_id"


def test_a_site_in_use_is_not_removed_and_its_users_are_named(registry: SqlRegistry) -> None:
    registry.put_all([camera("cam"), callbox("box")])
    with pytest.raises(ConflictError, match="box, cam"):
        registry.remove_site("village")
    with pytest.raises(ConflictError, match="village"):
        registry.remove_site("town")
    registry.remove_camera("cam")
    registry.remove_callbox("box")
    registry.remove_site("village")
    assert [found.site_id for found in registry.sites()] == ["county", "town"]


def test_a_conflict_counts_the_users_it_does_not_name(registry: SqlRegistry) -> None:
    registry.put_all([callbox(f"box-{number:02d}") for number in range(13)])
    with pytest.raises(ConflictError, match=r"box-09 .*3|box-09 等共 13"):
        registry.remove_site("village")


def test_a_site_path_runs_from_the_root_to_the_site(registry: SqlRegistry) -> None:
    assert registry.site_path("village") == tuple(tree())
    assert registry.site_path("county") == tuple(tree()[:1])


def test_the_tree_stays_a_tree(registry: SqlRegistry) -> None:
    with pytest.raises(FieldError) as unknown:
        registry.put_site(site("new", SiteLevel.GRID, "nowhere"))
    with pytest.raises(FieldError) as loop:
        registry.put_site(site("county", SiteLevel.COUNTY, "village"))
    with pytest.raises(FieldError) as itself:
        registry.put_site(site("new", SiteLevel.GRID, "new"))
    assert {caught.value.path for caught in (unknown, loop, itself)} == {"parent_id"}
    assert registry.sites() == tuple(tree())


def test_a_loop_made_by_several_sites_at_once_is_refused(registry: SqlRegistry) -> None:
    with pytest.raises(FieldError, match="parent_id"):
        registry.put_all([site("a", parent_id="b"), site("b", parent_id="a")])


def test_no_site_stands_above_its_level(registry: SqlRegistry) -> None:
    with pytest.raises(FieldError, match="level"):
        registry.put_site(site("town-2", SiteLevel.TOWNSHIP, "village"))
    with pytest.raises(FieldError, match="level"):
        registry.put_site(site("town", SiteLevel.GRID, "county"))
    registry.put_all([site("grid", SiteLevel.GRID, "village"), site("inner", SiteLevel.GRID, "grid")])
    assert [found.site_id for found in registry.site_path("inner")] == ["county", "town", "village", "grid", "inner"]


def test_put_all_takes_records_in_any_order(registry: SqlRegistry) -> None:
    records = [
        camera("cam", "z"),
        site("a", SiteLevel.GRID, "z"),
        site("z", SiteLevel.VILLAGE, "y"),
        site("y", SiteLevel.TOWNSHIP, "x"),
        site("x", SiteLevel.COUNTY),
    ]
    registry.put_all(records)
    registry.put_all([callbox("box", "a"), *records])
    assert [found.site_id for found in registry.site_path("a")] == ["x", "y", "z", "a"]
    assert registry.camera("cam") == camera("cam", "z")


def test_put_all_names_the_record_at_fault(registry: SqlRegistry) -> None:
    with pytest.raises(FieldError) as caught:
        registry.put_all([camera("good"), sensor("bad", "nowhere")])
    assert caught.value.path == "[1].site_id"
    with pytest.raises(FieldError) as caught:
        registry.put_all([camera("good"), site("bad", parent_id="nowhere")])
    assert caught.value.path == "[1].parent_id"


def test_put_all_writes_a_county_in_one_go(registry: SqlRegistry) -> None:
    boxes = [callbox(f"box-{number:04d}") for number in range(1200)]
    registry.put_all(boxes)
    registry.put_all([replace(box, name="new name") for box in boxes])
    assert {box.name for box in registry.callboxes()} == {"new name"}
    assert len(registry.callboxes()) == 1200


def test_no_password_stands_in_the_database(database: Database, registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    registry.put_camera(camera("dvr", main_url="rtsp://192.0.2.1/user=admin&password=hidden-here&channel=1"))
    dump = database.dump()
    assert PASSWORD not in dump
    assert "hidden-here" not in dump
    assert registry.camera("dvr").main_url.endswith("password=hidden-here&channel=1")


def test_a_lost_key_names_the_camera_and_does_not_stop_repairs(database: Database, registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    registry.put_camera(full_camera("old"))
    (database.data / "secret.key").unlink()
    keyless = database.open()
    with pytest.raises(ConfigurationError, match=r"cam.*secret\.key"):
        keyless.camera("cam")
    assert keyless.cameras() == ()
    assert [found.camera_id for found in keyless.unreadable_cameras()] == ["cam", "old"]
    keyless.put_camera(camera("cam", credentials=Credentials("admin", Secret("new"))))
    keyless.remove_camera("old")
    assert [found.camera_id for found in keyless.cameras()] == ["cam"]
    keyless.close()


def test_two_writers_at_once_lose_nothing(database: Database, registry: SqlRegistry) -> None:
    before = registry.revision()
    others = [database.open() for _ in range(3)]

    def write(number: int, mine: SqlRegistry) -> None:
        for turn in range(15):
            mine.put_callbox(callbox(f"box-{number}-{turn}"))

    threads = [threading.Thread(target=write, args=(number, mine)) for number, mine in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.callboxes()) == 45
    assert registry.revision() == before + 45
    for other in others:
        other.close()


def test_writers_at_once_cannot_break_the_tree_together(database: Database, registry: SqlRegistry) -> None:
    registry.put_all([site("a"), site("b")])
    others = [database.open(), database.open()]
    refused: list[Exception] = []

    def hang_under(mine: SqlRegistry, child: str, parent: str) -> None:
        try:
            mine.put_site(site(child, parent_id=parent))
        except FieldError as error:
            refused.append(error)

    for _ in range(5):
        threads = [
            threading.Thread(target=hang_under, args=(others[0], "a", "b")),
            threading.Thread(target=hang_under, args=(others[1], "b", "a")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1, "one of the two has to be refused"
        refused.clear()
        registry.put_all([site("a"), site("b")])
    for other in others:
        other.close()


def _open_and_write(database: Database, gate: Barrier, camera_id: str) -> None:
    gate.wait(timeout=30)
    registry = database.open()
    registry.put_all([*tree(), full_camera(camera_id)])


def test_processes_that_open_an_empty_database_at_once_all_succeed(database: Database) -> None:
    forking = multiprocessing.get_context("fork")  # what is imported stays imported, so that they start as one
    gate = forking.Barrier(4)
    processes = [forking.Process(target=_open_and_write, args=(database, gate, f"cam-{n}")) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    registry = database.open()
    assert [found.camera_id for found in registry.cameras()] == ["cam-0", "cam-1", "cam-2", "cam-3"]
    registry.close()


def test_migrations_go_down_and_up_again(database: Database, registry: SqlRegistry) -> None:
    registry.put_camera(full_camera("cam"))
    registry.close()
    engine = create_sql_engine(database.sql_url)
    migrate(engine, MIGRATIONS, VERSION_TABLE, "base")
    assert inspect(engine).get_table_names() == [VERSION_TABLE]
    migrate(engine, MIGRATIONS, VERSION_TABLE)
    engine.dispose()
    again = database.open()
    assert (again.revision(), again.sites()) == (0, ())
    again.put_all([*tree(), full_camera("cam")])
    assert again.camera("cam") == full_camera("cam")
    again.close()


def test_migrations_make_the_tables_that_the_code_describes(database: Database, registry: SqlRegistry) -> None:
    engine = create_sql_engine(database.sql_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_a_database_of_a_newer_program_is_refused(database: Database, registry: SqlRegistry) -> None:
    engine = create_sql_engine(database.sql_url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigurationError, match="9999"):
        database.open()


def test_postgres_away_is_unavailable_without_its_password_and_comes_back(
    own_postgres: Factory[Postgres], tmp_path: Path
) -> None:
    server = own_postgres(start=False)
    database = Database(server.url, tmp_path)
    with pytest.raises(UnavailableError) as at_start:
        database.open()
    server.start()
    registry = database.open()
    registry.put_all(tree())
    server.kill()
    with pytest.raises(UnavailableError) as in_the_middle:
        registry.sites()
    with pytest.raises(UnavailableError):
        registry.put_callbox(callbox("box"))
    server.start()
    assert wait_until(lambda: registry.sites()) == tuple(tree())
    registry.put_callbox(callbox("box"))
    registry.close()
    for caught in (at_start, in_the_middle):
        assert str(server.port) in str(caught.value)
        assert postgres_server.PASSWORD not in str(caught.value)
        assert postgres_server.PASSWORD_IN_URL not in str(caught.value)


def test_a_file_that_is_no_database_is_unavailable_and_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"this is not SQLite" * 100)
    with pytest.raises(UnavailableError, match=r"sharpeyes\.db"):
        Database(None, tmp_path).open()


def test_a_data_folder_that_is_missing_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nowhere"):
        open_registry(None, tmp_path / "nowhere", open_secret_box(None, tmp_path))


def test_a_wrong_database_url_is_a_configuration_error(tmp_path: Path) -> None:
    for url in ("mysql://u:secret@h/d", "no url at all", "postgresql://u:secret@h:port/d"):
        with pytest.raises(ConfigurationError) as caught:
            open_registry(url, tmp_path, open_secret_box(None, tmp_path))
        assert "secret" not in str(caught.value)
