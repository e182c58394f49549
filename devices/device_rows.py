"""Devices as rows of the table `devices`, and back: what must be secret goes sealed into a column of its own.

Pure but for encryption. Raises `ConfigurationError` when a login was sealed with a key that is not there.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from devices.document import callbox_from, camera_from, sensor_from, to_document
from devices.login import holds_password
from devices.model import CallBox, Camera, Credentials, DeviceKind, Secret, Sensor
from devices.registry import Device
from devices.secrets import SecretBox

Row = Mapping[Any, Any]
D = TypeVar("D", Camera, CallBox, Sensor)

URL_ELSEWHERE = "sealed"
"""Stands in the document for a URL that carries a password in its path or query; the URL is in `sealed`."""

KINDS: Mapping[type, DeviceKind] = {
    Camera: DeviceKind.CAMERA,
    CallBox: DeviceKind.CALLBOX,
    Sensor: DeviceKind.SENSOR,
}


def device_id(device: Device) -> str:
    """The id of any kind of device."""
    if isinstance(device, Camera):
        return device.camera_id
    return device.callbox_id if isinstance(device, CallBox) else device.sensor_id


def device_row(device: Device, box: SecretBox) -> dict[str, Any]:
    """The columns that hold the device itself; the store adds version and times."""
    document = to_document(device)
    secrets = _take_secrets(device, document) if isinstance(device, Camera) else {}
    return {
        "device_id": device_id(device),
        "kind": KINDS[type(device)].value,
        "site_id": device.site_id,
        "document": document,
        "sealed": box.seal(json.dumps(secrets)) if secrets else None,
    }


def _take_secrets(camera: Camera, document: dict[str, Any]) -> dict[str, str]:
    secrets: dict[str, str] = {}
    if camera.credentials is not None:
        secrets["username"] = camera.credentials.username
        secrets["password"] = camera.credentials.password.reveal()
    for key in ("main_url", "sub_url"):
        url = document[key]
        if url is not None and holds_password(url):
            secrets[key] = url
            document[key] = URL_ELSEWHERE
    return secrets


def camera_of(row: Row, box: SecretBox) -> Camera:
    """The camera of a row, with its login."""
    document = dict(row["document"])
    secrets: dict[str, str] = {}
    if row["sealed"] is not None:
        secrets = json.loads(box.unseal(row["sealed"], f"camera {row['device_id']}"))
    for key in ("main_url", "sub_url"):
        document[key] = secrets.get(key, document[key])
    credentials = Credentials(secrets["username"], Secret(secrets["password"])) if "username" in secrets else None
    return camera_from(document, credentials)


def callbox_of(row: Row, _box: SecretBox) -> CallBox:
    """The call box of a row."""
    return callbox_from(row["document"])


def sensor_of(row: Row, _box: SecretBox) -> Sensor:
    """The sensor of a row."""
    return sensor_from(row["document"])
