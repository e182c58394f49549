"""What is registered: sites, cameras, call boxes and sensors, with their zones, lines and rules.

Frozen dataclasses; geometry in fractions of the picture, origin top left. Each checks its own bounds and
raises `InvalidInputError` naming the field. Secrets are held in `Secret`, which never prints itself.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.errors import InvalidInputError

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Ids stand in MQTT topics, Kafka keys and object keys: no slash, dot, space or wildcard."""

MAX_NAME_CHARS = 200
MAX_POLYGON_POINTS = 64
MAX_SHAPES = 64
MAX_RULES = 64

Point = tuple[float, float]


class SiteLevel(StrEnum):
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    GRID = "grid"


class DeviceKind(StrEnum):
    CAMERA = "camera"
    CALLBOX = "callbox"
    SENSOR = "sensor"


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class RuleKind(StrEnum):
    ZONE_ENTERED = "zone_entered"
    LINE_CROSSED = "line_crossed"
    LOITERING = "loitering"


class Direction(StrEnum):
    """Of a line from its first to its second point: side a is on the left hand, side b on the right hand."""

    A_TO_B = "a_to_b"
    B_TO_A = "b_to_a"
    BOTH = "both"


class RecordingMode(StrEnum):
    OFF = "off"
    EVENTS = "events"
    CONTINUOUS = "continuous"


class Purpose(StrEnum):
    """Why a camera stands there; required, because a camera in public needs a stated purpose."""

    PUBLIC_SAFETY = "public_safety"
    TRAFFIC = "traffic"
    FLOOD_WATCH = "flood_watch"
    FIRE_WATCH = "fire_watch"
    FACILITY = "facility"


class PlaceType(StrEnum):
    ROAD_JUNCTION = "road_junction"
    ROAD = "road"
    SQUARE = "square"
    RIVERSIDE = "riverside"
    FOREST_EDGE = "forest_edge"
    PUBLIC_BUILDING = "public_building"
    VILLAGE_ENTRANCE = "village_entrance"


class Transport(StrEnum):
    TCP = "tcp"
    UDP = "udp"


def check_id(value: str, field_name: str) -> None:
    """Raise InvalidInputError unless `value` can be a device or site id."""
    if not ID_PATTERN.fullmatch(value):
        raise InvalidInputError(
            f"{field_name}: {value[:80]!r} is not an id; use 1 to 64 of A-Z a-z 0-9 - _, first a letter or digit"
        )


def check_name(value: str, field_name: str) -> None:
    """Raise InvalidInputError unless `value` is a printable name of bounded length."""
    if not value.strip() or len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise InvalidInputError(f"{field_name}: must be 1 to {MAX_NAME_CHARS} printable characters")


@dataclass(frozen=True, slots=True)
class Secret:
    """A password. Prints as stars; `reveal()` is the only way to the text."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A camera's login."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Position:
    """WGS84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A node of the grid tree; `parent_id` is None for a root."""

    site_id: str
    name: str
    level: SiteLevel
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A named polygon, 3 to 64 points, fractions of the picture."""

    name: str
    polygon: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named directed segment, fractions of the picture."""

    name: str
    start: Point
    end: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Local minutes of the day, on some weekdays (0 = Monday). `end_min` <= `start_min` runs over midnight."""

    start_min: int
    end_min: int
    weekdays: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a rule is armed; no window at all means always."""

    timezone: str = "Asia/Shanghai"
    windows: tuple[TimeWindow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is worth an alert on one camera.

    `area` names a zone (zone_entered, loitering) or a line (line_crossed) of the same camera. `min_height` is
    the smallest box height that counts, as a fraction of the picture. `cooldown_s` is how long the rule stays
    silent after it fired.
    """

    name: str
    kind: RuleKind
    area: str
    classes: frozenset[str]
    direction: Direction = Direction.BOTH
    dwell_s: float = 0.0
    min_height: float = 0.0
    schedule: Schedule = Schedule()
    cooldown_s: float = 30.0
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera. URLs never hold a login: that is in `credentials`."""

    camera_id: str
    name: str
    site_id: str
    main_url: str
    purpose: Purpose
    place_type: PlaceType
    sub_url: str | None = None
    credentials: Credentials | None = None
    transport: Transport = Transport.TCP
    position: Position | None = None
    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()
    detect_fps: float = 5.0
    recording: RecordingMode = RecordingMode.EVENTS
    model: str | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBox:
    """A box with four keys in someone's home."""

    callbox_id: str
    name: str
    site_id: str
    position: Position | None = None
    enabled: bool = True


class Crossing(StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Trips when the value passes `trip` for `dwell_s`, clears when it is back past `clear` (hysteresis)."""

    name: str
    crossing: Crossing
    trip: float
    clear: float
    dwell_s: float = 0.0
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensor:
    """A sensor of one metric in one unit; silent for `missing_after_s` means its data is missing."""

    sensor_id: str
    name: str
    site_id: str
    metric: str
    unit: str
    thresholds: tuple[Threshold, ...] = ()
    missing_after_s: float = 900.0
    position: Position | None = None
    enabled: bool = True
