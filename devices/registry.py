"""The registry port: what every store of devices can do. `devices.sql_registry` is it on SQLite and PostgreSQL.

Calls block on the database; asyncio code runs them in a thread. They raise `NotFoundError`, `ConflictError`,
`InvalidInputError`, and `UnavailableError` when the database is away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from devices.model import CallBox, Camera, DeviceKind, Sensor, Site

Device = Camera | CallBox | Sensor


@dataclass(frozen=True, slots=True)
class UnreadableCamera:
    """A camera whose record was sealed with a key that is not there, or is damaged. `reason` is for people."""

    camera_id: str
    enabled: bool
    reason: str


class Registry(Protocol):
    """Sites and devices by id. `put_*` inserts or replaces one whole record."""

    def revision(self) -> int:
        """A number that grows with every write: poll it to learn that something changed."""

    def put_site(self, site: Site) -> None: ...
    def site(self, site_id: str) -> Site: ...
    def sites(self) -> Sequence[Site]: ...
    def remove_site(self, site_id: str) -> None: ...
    def site_path(self, site_id: str) -> tuple[Site, ...]:
        """The site and all above it, root first."""

    def put_camera(self, camera: Camera) -> None: ...
    def camera(self, camera_id: str) -> Camera:
        """ConfigurationError when its login cannot be decrypted."""

    def cameras(self) -> Sequence[Camera]:
        """Every camera but those of `unreadable_cameras`: one lost login must not take the others away."""

    def unreadable_cameras(self) -> Sequence[UnreadableCamera]: ...
    def remove_camera(self, camera_id: str) -> None: ...

    def put_callbox(self, callbox: CallBox) -> None: ...
    def callbox(self, callbox_id: str) -> CallBox: ...
    def callboxes(self) -> Sequence[CallBox]: ...
    def remove_callbox(self, callbox_id: str) -> None: ...

    def put_sensor(self, sensor: Sensor) -> None: ...
    def sensor(self, sensor_id: str) -> Sensor: ...
    def sensors(self) -> Sequence[Sensor]: ...
    def remove_sensor(self, sensor_id: str) -> None: ...

    def device_kinds(self) -> Mapping[str, DeviceKind]:
        """The id and kind of every device; reads no secret."""

    def put_all(self, records: Sequence[Site | Device]) -> None:
        """Insert or replace all of them in one transaction, or none."""

    def close(self) -> None: ...
