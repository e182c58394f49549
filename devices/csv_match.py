"""An import against what is registered: unknown sites, ids that are taken, and what a replaced record keeps.

Reads the registry, writes nothing; call it in the thread that may block on the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from devices.csv_import import Import, Record
from devices.device_rows import KINDS, device_id
from devices.model import Camera, DeviceKind, Sensor, Site
from devices.registry import Device, Registry
from devices.site_tree import check_site
from devices.validation import FieldError, shown
from devices.words import chinese
from runtime.errors import ConfigurationError
from runtime.language import say


def check_against(found: Import, registry: Registry, *, may_replace: bool) -> int:
    """Add the problems that only the registry knows; returns how many records would replace registered ones."""
    stored_sites = {site.site_id: site for site in registry.sites()}
    stored_kinds = registry.device_kinds()
    tree = {**stored_sites, **{record.site_id: record for record in found.records if isinstance(record, Site)}}
    replaced = 0
    for record, line in zip(found.records, found.lines, strict=True):
        if isinstance(record, Site):
            is_stored = record.site_id in stored_sites
            _check_site(found, tree, record, line)
        else:
            is_stored = device_id(record) in stored_kinds
            _check_place(found, tree, record.site_id, line)
        if is_stored:
            replaced += 1
            if not may_replace:
                already = say(zh="已登记；要覆盖请加 --replace", en="is registered already; --replace overwrites it")
                found.complain(line, "id", already)
            elif not isinstance(record, Site):
                _check_kind(found, record, line, stored_kinds[device_id(record)])
    for line, site_id in found.broken_devices:
        _check_place(found, tree, site_id, line)
    found.problems.sort(key=lambda problem: problem.line)
    return replaced


def _check_place(found: Import, tree: Mapping[str, Site], site_id: str, line: int) -> None:
    if site_id not in tree and site_id not in found.broken_sites:
        unknown = shown(site_id)
        found.complain(line, "site", say(zh=f"没有站点 {unknown}", en=f"there is no site {unknown}"))


def _check_site(found: Import, tree: Mapping[str, Site], site: Site, line: int) -> None:
    if site.parent_id in found.broken_sites:
        return
    try:
        check_site(tree, site)
    except FieldError as error:
        found.complain(line, "site" if error.path == "parent_id" else error.path, error.reason)


def _check_kind(found: Import, device: Device, line: int, stored: DeviceKind) -> None:
    if stored is not KINDS[type(device)]:
        found.complain(line, "id", say(zh=f"已被一个{chinese(stored)[0]}使用", en=f"belongs to a registered {stored}"))


def keep_what_csv_cannot_say(records: Sequence[Record], registry: Registry) -> list[Record]:
    """The records with what a replaced one has beyond the file's columns.

    A camera keeps its zones, lines and rules, and, when its main URL stays the same and the file names no login, its
    login; it is not sent to another address. A sensor keeps thresholds when the file gives none. ConfigurationError
    when a camera to replace cannot be read: its zones would be lost.
    """
    unreadable = {camera.camera_id: camera.reason for camera in registry.unreadable_cameras()}
    for record in records:
        if isinstance(record, Camera) and record.camera_id in unreadable:
            raise ConfigurationError(unreadable[record.camera_id])
    cameras = {camera.camera_id: camera for camera in registry.cameras()}
    sensors = {sensor.sensor_id: sensor for sensor in registry.sensors()}
    return [_kept(record, cameras, sensors) for record in records]


def _kept(record: Record, cameras: Mapping[str, Camera], sensors: Mapping[str, Sensor]) -> Record:
    if isinstance(record, Camera) and record.camera_id in cameras:
        old = cameras[record.camera_id]
        login = record.credentials or (old.credentials if old.main_url == record.main_url else None)
        return replace(record, zones=old.zones, lines=old.lines, rules=old.rules, credentials=login)
    if isinstance(record, Sensor) and record.sensor_id in sensors and not record.thresholds:
        return replace(record, thresholds=sensors[record.sensor_id].thresholds)
    return record
