"""The registry on SQLite or PostgreSQL: the one implementation of `devices.registry.Registry`.

Calls block on the database; any thread may call. A write takes the row of `registry_state` first, so writers on
either database wait for each other and each sees the whole tree. Raises what the port says; a wrong key file is a
`ConfigurationError`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, select, update

from devices.device_rows import D, Row, callbox_of, camera_of, sensor_of
from devices.model import CallBox, Camera, DeviceKind, Sensor, Site
from devices.registry import Device, UnreadableCamera
from devices.registry_writes import all_sites, put_records, refuse_if_used
from devices.secrets import SecretBox
from devices.site_tree import path_of
from devices.tables import devices, registry_state, sites
from devices.validation import FieldError, shown
from devices.words import chinese
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigurationError, InvalidInputError, NotFoundError
from runtime.language import say
from runtime.sql import create_sql_engine, database_errors, migrate, sqlite_url

DATABASE_FILE = "sharpeyes.db"
MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version_devices"


def open_registry(url: str | None, data: Path, secrets: SecretBox, clock: Clock | None = None) -> "SqlRegistry":
    """Open `url`, or `<data>/sharpeyes.db` when it is None, and bring its tables up to date."""
    engine = create_sql_engine(url if url is not None else sqlite_url(data / DATABASE_FILE))
    try:
        migrate(engine, MIGRATIONS, VERSION_TABLE)
    except BaseException:
        engine.dispose()
        raise
    return SqlRegistry(engine, secrets, clock or SystemClock())


class SqlRegistry:
    """`Registry` on an engine whose tables are there."""

    def __init__(self, engine: Engine, secrets: SecretBox, clock: Clock) -> None:
        self._engine = engine
        self._secrets = secrets
        self._clock = clock

    def revision(self) -> int:
        with self._reading() as connection:
            return int(connection.scalar(select(registry_state.c.revision)) or 0)

    def close(self) -> None:
        self._engine.dispose()

    # Sites

    def put_site(self, site: Site) -> None:
        self._put([site], plain=True)

    def site(self, site_id: str) -> Site:
        return self.site_path(site_id)[-1]

    def sites(self) -> Sequence[Site]:
        with self._reading() as connection:
            return tuple(all_sites(connection).values())

    def site_path(self, site_id: str) -> tuple[Site, ...]:
        with self._reading() as connection:
            return path_of(all_sites(connection), site_id)

    def remove_site(self, site_id: str) -> None:
        with self._writing() as connection:
            refuse_if_used(connection, site_id)
            if connection.execute(delete(sites).where(sites.c.site_id == site_id)).rowcount == 0:
                raise NotFoundError(say(zh=f"没有站点 {shown(site_id)}", en=f"there is no site {shown(site_id)}"))

    # Devices

    def put_camera(self, camera: Camera) -> None:
        self._put([camera], plain=True)

    def camera(self, camera_id: str) -> Camera:
        return self._one(DeviceKind.CAMERA, camera_id, camera_of)

    def cameras(self) -> Sequence[Camera]:
        found = [self._camera_or_reason(row) for row in self._rows(DeviceKind.CAMERA)]
        return tuple(one for one in found if isinstance(one, Camera))

    def unreadable_cameras(self) -> Sequence[UnreadableCamera]:
        found = [self._camera_or_reason(row) for row in self._rows(DeviceKind.CAMERA)]
        return tuple(one for one in found if isinstance(one, UnreadableCamera))

    def remove_camera(self, camera_id: str) -> None:
        self._remove(DeviceKind.CAMERA, camera_id)

    def put_callbox(self, callbox: CallBox) -> None:
        self._put([callbox], plain=True)

    def callbox(self, callbox_id: str) -> CallBox:
        return self._one(DeviceKind.CALLBOX, callbox_id, callbox_of)

    def callboxes(self) -> Sequence[CallBox]:
        return self._every(DeviceKind.CALLBOX, callbox_of)

    def remove_callbox(self, callbox_id: str) -> None:
        self._remove(DeviceKind.CALLBOX, callbox_id)

    def put_sensor(self, sensor: Sensor) -> None:
        self._put([sensor], plain=True)

    def sensor(self, sensor_id: str) -> Sensor:
        return self._one(DeviceKind.SENSOR, sensor_id, sensor_of)

    def sensors(self) -> Sequence[Sensor]:
        return self._every(DeviceKind.SENSOR, sensor_of)

    def remove_sensor(self, sensor_id: str) -> None:
        self._remove(DeviceKind.SENSOR, sensor_id)

    def device_kinds(self) -> Mapping[str, DeviceKind]:
        with self._reading() as connection:
            rows = connection.execute(select(devices.c.device_id, devices.c.kind).order_by(devices.c.device_id))
            return {row.device_id: DeviceKind(row.kind) for row in rows}

    def put_all(self, records: Sequence[Site | Device]) -> None:
        """As the port says; a FieldError's path begins with the index of the record at fault: `[3].site_id`."""
        self._put(records, plain=False)

    # Inside

    def _put(self, records: Sequence[Site | Device], *, plain: bool) -> None:
        with self._writing() as connection:
            try:
                put_records(connection, records, self._secrets, self._clock.now_ns())
            except FieldError as error:
                raise (FieldError(error.path.partition(".")[2], error.reason) if plain else error) from None

    def _one(self, kind: DeviceKind, wanted: str, record_of: Callable[[Row, SecretBox], D]) -> D:
        query = select(devices).where(devices.c.device_id == wanted, devices.c.kind == kind.value)
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise _no_device(kind, wanted)
        return record_of(row, self._secrets)

    def _camera_or_reason(self, row: Row) -> Camera | UnreadableCamera:
        try:
            return camera_of(row, self._secrets)
        except (ConfigurationError, InvalidInputError) as error:
            return UnreadableCamera(row["device_id"], bool(row["document"].get("enabled", True)), str(error))

    def _every(self, kind: DeviceKind, record_of: Callable[[Row, SecretBox], D]) -> Sequence[D]:
        return tuple(record_of(row, self._secrets) for row in self._rows(kind))

    def _rows(self, kind: DeviceKind) -> Sequence[Row]:
        query = select(devices).where(devices.c.kind == kind.value).order_by(devices.c.device_id)
        with self._reading() as connection:
            return connection.execute(query).mappings().all()

    def _remove(self, kind: DeviceKind, wanted: str) -> None:
        query = delete(devices).where(devices.c.device_id == wanted, devices.c.kind == kind.value)
        with self._writing() as connection:
            if connection.execute(query).rowcount == 0:
                raise _no_device(kind, wanted)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with database_errors(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """One transaction, alone among writers, with the revision raised."""
        with database_errors(self._engine), self._engine.begin() as connection:
            connection.execute(update(registry_state).values(revision=registry_state.c.revision + 1))
            yield connection


def _no_device(kind: DeviceKind, wanted: str) -> NotFoundError:
    return NotFoundError(
        say(zh=f"没有编号为 {shown(wanted)} 的{chinese(kind)[0]}", en=f"there is no {kind} {shown(wanted)}")
    )
