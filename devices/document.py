"""The registry's own form: each record as plain JSON-able values, for the SQL store, imports, scenes and APIs.

Comes in as what a JSON or YAML reader gives, goes out as frozen dataclasses, and back. Strict; raises `FieldError`
naming the path ("zones[2].polygon[0]"). Passwords are no part of a document: a login travels beside it.
"""

import re
from dataclasses import replace
from typing import Any

from devices.codec import (
    Codec,
    choice,
    flag,
    listed,
    number,
    optional,
    record,
    same_names,
    text,
    word_set,
    wrong_type,
)
from devices.model import (
    MAX_THRESHOLDS,
    CallBox,
    Camera,
    Credentials,
    Crossing,
    PlaceType,
    Position,
    Purpose,
    RecordingMode,
    Sensor,
    Site,
    SiteLevel,
    Threshold,
    Transport,
)
from devices.scene import (
    MAX_CLASSES,
    MAX_POLYGON_POINTS,
    MAX_RULES,
    MAX_SHAPES,
    MAX_WINDOWS,
    Direction,
    Line,
    Point,
    Rule,
    RuleKind,
    Scene,
    Schedule,
    Severity,
    TimeWindow,
    Zone,
)

Document = dict[str, Any]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


def _read_point(value: object, path: str) -> Point:
    pair = listed(number, 2).read(value, path)
    if len(pair) != 2:
        raise wrong_type(path, value, "两个数字 [x, y]", "two numbers [x, y]")
    return (pair[0], pair[1])


def _read_minute(value: object, path: str) -> int:
    match = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong_type(path, value, '时刻，例如 "22:00"', 'a time of day such as "22:00"')
    return int(match[1]) * 60 + int(match[2]) if match[1] else 24 * 60


def _read_weekday(value: object, path: str) -> int:
    if not isinstance(value, str) or value not in WEEKDAYS:
        raise wrong_type(path, value, " " + "、".join(WEEKDAYS) + " 之一", "one of " + ", ".join(WEEKDAYS))
    return WEEKDAYS.index(value)


_point: Codec[Point] = Codec(_read_point, list)
_minute: Codec[int] = Codec(_read_minute, lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
_weekday: Codec[int] = Codec(_read_weekday, lambda day: WEEKDAYS[day])

_zone = record(Zone, same_names({"name": text, "polygon": listed(_point, MAX_POLYGON_POINTS)}))
_line = record(Line, same_names({"name": text, "start": _point, "end": _point}))
_window = record(
    TimeWindow,
    {"from": ("start_min", _minute), "to": ("end_min", _minute), "weekdays": ("weekdays", word_set(_weekday, 7))},
)
_schedule = record(Schedule, same_names({"timezone": text, "windows": listed(_window, MAX_WINDOWS)}))
_rule = record(
    Rule,
    same_names(
        {
            "name": text,
            "kind": choice(RuleKind),
            "area": text,
            "classes": word_set(text, MAX_CLASSES),
            "direction": choice(Direction),
            "dwell_s": number,
            "min_height": number,
            "schedule": _schedule,
            "cooldown_s": number,
            "severity": choice(Severity),
        }
    ),
)
_scene_fields: dict[str, Codec[Any]] = {
    "zones": listed(_zone, MAX_SHAPES),
    "lines": listed(_line, MAX_SHAPES),
    "rules": listed(_rule, MAX_RULES),
}
_scene = record(Scene, same_names(_scene_fields))
_position = record(Position, same_names({"latitude": number, "longitude": number}))
_site = record(
    Site, same_names({"site_id": text, "name": text, "level": choice(SiteLevel), "parent_id": optional(text)})
)
_camera = record(
    Camera,
    same_names(
        {
            "camera_id": text,
            "name": text,
            "site_id": text,
            "main_url": text,
            "sub_url": optional(text),
            "transport": choice(Transport),
            "purpose": choice(Purpose),
            "place_type": choice(PlaceType),
            "position": optional(_position),
            "detect_fps": number,
            "recording": choice(RecordingMode),
            "model": optional(text),
            "enabled": flag,
            **_scene_fields,
        }
    ),
)
_callbox = record(
    CallBox,
    same_names({"callbox_id": text, "name": text, "site_id": text, "position": optional(_position), "enabled": flag}),
)
_threshold = record(
    Threshold,
    same_names(
        {
            "name": text,
            "crossing": choice(Crossing),
            "trip": number,
            "clear": number,
            "dwell_s": number,
            "severity": choice(Severity),
        }
    ),
)
_sensor = record(
    Sensor,
    same_names(
        {
            "sensor_id": text,
            "name": text,
            "site_id": text,
            "metric": text,
            "unit": text,
            "thresholds": listed(_threshold, MAX_THRESHOLDS),
            "missing_after_s": number,
            "position": optional(_position),
            "enabled": flag,
        }
    ),
)
_codecs: dict[type, Codec[Any]] = {Site: _site, Camera: _camera, CallBox: _callbox, Sensor: _sensor, Scene: _scene}


def to_document(item: Site | Camera | CallBox | Sensor | Scene) -> Document:
    """The item as plain values, every key present; a camera's credentials are left out."""
    document: Document = _codecs[type(item)].write(item)  # type: ignore[assignment]  # a record writes a dict
    return document


def site_from(document: object) -> Site:
    """Read a site; raises FieldError."""
    return _site.read(document, "")


def camera_from(document: object, credentials: Credentials | None = None) -> Camera:
    """Read a camera and give it its login; raises FieldError."""
    return replace(_camera.read(document, ""), credentials=credentials)


def callbox_from(document: object) -> CallBox:
    """Read a call box; raises FieldError."""
    return _callbox.read(document, "")


def sensor_from(document: object) -> Sensor:
    """Read a sensor; raises FieldError."""
    return _sensor.read(document, "")


def scene_from(document: object) -> Scene:
    """Read zones, lines and rules; raises FieldError."""
    return _scene.read(document, "")
