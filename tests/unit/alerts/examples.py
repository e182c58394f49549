"""Alerts for tests to start from."""

from typing import Any

import msgspec

from alerts.contract import AlertKind, AlertStatus, AlertV1, Change, SiteRef
from alerts.places import Place
from alerts.revision import new_alert_id
from alerts.wording import zone_entered
from devices.model import DeviceKind, Severity, SiteLevel
from runtime.clock import NS_PER_S, utc

T0_NS = 1_767_225_600 * NS_PER_S

SITES = (
    SiteRef(site_id="county", name="青山县", level=SiteLevel.COUNTY),
    SiteRef(site_id="town", name="河口镇", level=SiteLevel.TOWNSHIP),
    SiteRef(site_id="village", name="柳树村", level=SiteLevel.VILLAGE),
)


def camera_alert(*, opened_ns: int = T0_NS, **fields: Any) -> AlertV1:
    """Revision 1 of a zone alert, with `fields` replaced."""
    alert = AlertV1(
        alert_id=new_alert_id(opened_ns),
        revision=1,
        change=Change.OPENED,
        status=AlertStatus.OPEN,
        kind=AlertKind.ZONE_ENTERED,
        severity=Severity.WARNING,
        device_id="cam-1",
        device_kind=DeviceKind.CAMERA,
        device_name="村口摄像机",
        sites=SITES,
        owner="worker",
        summary=zone_entered("村口摄像机", "person", "水边"),
        opened_at=utc(opened_ns),
        updated_at=utc(opened_ns),
    )
    return msgspec.structs.replace(alert, **fields)


def box_place(callbox_id: str = "box-1") -> Place:
    """A call box in the village."""
    return Place(callbox_id, DeviceKind.CALLBOX, "张奶奶家", SITES)
