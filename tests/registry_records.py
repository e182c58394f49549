"""Registry records for tests: small valid ones, each field changeable by name."""

from typing import Any

from devices.model import (
    CallBox,
    Camera,
    Credentials,
    Crossing,
    Direction,
    Line,
    PlaceType,
    Position,
    Purpose,
    Rule,
    RuleKind,
    Schedule,
    Secret,
    Sensor,
    Severity,
    Site,
    SiteLevel,
    Threshold,
    TimeWindow,
    Zone,
)

PASSWORD = "p@ss:w#d/%汉"


def site(site_id: str, level: SiteLevel = SiteLevel.VILLAGE, parent_id: str | None = None) -> Site:
    return Site(site_id=site_id, name=f"Site {site_id}", level=level, parent_id=parent_id)


def camera(camera_id: str, site_id: str = "village", **fields: Any) -> Camera:
    known: dict[str, Any] = {
        "name": f"Camera {camera_id}",
        "main_url": "rtsp://192.0.2.1/main",
        "purpose": Purpose.TRAFFIC,
        "place_type": PlaceType.ROAD,
    }
    return Camera(camera_id=camera_id, site_id=site_id, **{**known, **fields})


def full_camera(camera_id: str, site_id: str = "village") -> Camera:
    """A camera that uses every field."""
    return camera(
        camera_id,
        site_id,
        sub_url="rtsp://192.0.2.1/sub",
        credentials=Credentials("admin", Secret(PASSWORD)),
        position=Position(30.66, 104.06),
        zones=(Zone(name="院子", polygon=((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))),),
        lines=(Line(name="gate", start=(0.0, 0.5), end=(1.0, 0.5)),),
        rules=(
            Rule(
                name="loiter",
                kind=RuleKind.LOITERING,
                area="院子",
                classes=frozenset({"person", "dog"}),
                dwell_s=30.0,
                min_height=0.05,
                schedule=Schedule(windows=(TimeWindow(start_min=1320, end_min=360, weekdays=frozenset({0, 6})),)),
                severity=Severity.CRITICAL,
            ),
            Rule(
                name="out",
                kind=RuleKind.LINE_CROSSED,
                area="gate",
                classes=frozenset({"car"}),
                direction=Direction.A_TO_B,
            ),
        ),
        detect_fps=7.5,
        model="yolox-nano",
        enabled=False,
    )


def callbox(callbox_id: str, site_id: str = "village") -> CallBox:
    return CallBox(callbox_id=callbox_id, name=f"Box {callbox_id}", site_id=site_id)


def sensor(sensor_id: str, site_id: str = "village") -> Sensor:
    high = Threshold(name="high", crossing=Crossing.ABOVE, trip=3.5, clear=3.2, dwell_s=60.0)
    return Sensor(
        sensor_id=sensor_id, name="Gauge", site_id=site_id, metric="water_level", unit="m", thresholds=(high,)
    )


def tree() -> list[Site]:
    """county > town > village."""
    return [
        site("county", SiteLevel.COUNTY),
        site("town", SiteLevel.TOWNSHIP, "county"),
        site("village", SiteLevel.VILLAGE, "town"),
    ]
