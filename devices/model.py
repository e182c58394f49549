"""What is registered: sites, cameras, call boxes and sensors; what a camera looks for is in `devices.scene`.

Frozen dataclasses. Each checks its own bounds when made and raises `FieldError`, an InvalidInputError that names
the field. Secrets are held in `Secret`, which never prints itself.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from devices.scene import DAY_S, check_scene
from devices.scene import Direction as Direction
from devices.scene import Line as Line
from devices.scene import Point as Point
from devices.scene import Rule as Rule
from devices.scene import RuleKind as RuleKind
from devices.scene import Schedule as Schedule
from devices.scene import Severity as Severity
from devices.scene import TimeWindow as TimeWindow
from devices.scene import Zone as Zone
from devices.validation import (
    FieldError,
    check_count,
    check_id,
    check_metric,
    check_name,
    check_number,
    check_stream_url,
    check_unique,
)
from runtime.language import say

MAX_UNIT_CHARS = 20
MAX_THRESHOLDS = 16
MAX_LOGIN_CHARS = 256
MAX_DETECT_FPS = 30.0
"""Cameras on poles send 25 or 30 pictures a second; asking for more than are sent detects nothing more."""

MONTH_S = 31 * DAY_S
MAX_READING = 1e12


class SiteLevel(StrEnum):
    COUNTY = "county"
    TOWNSHIP = "township"
    VILLAGE = "village"
    GRID = "grid"


class DeviceKind(StrEnum):
    CAMERA = "camera"
    CALLBOX = "callbox"
    SENSOR = "sensor"


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

    def __post_init__(self) -> None:
        if not self.username or len(self.username) > MAX_LOGIN_CHARS or not self.username.isprintable():
            raise FieldError("username", _bounds_of_login())
        if len(self.password.reveal()) > MAX_LOGIN_CHARS or not self.password.reveal().isprintable():
            raise FieldError("password", _bounds_of_login())


def _bounds_of_login() -> str:
    return say(
        zh=f"用户名须为 1 至 {MAX_LOGIN_CHARS} 个可显示的字符，密码不超过 {MAX_LOGIN_CHARS} 个",
        en=f"a user name has 1 to {MAX_LOGIN_CHARS} printable characters, a password at most {MAX_LOGIN_CHARS}",
    )


@dataclass(frozen=True, slots=True)
class Position:
    """WGS84 degrees."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        check_number(self.latitude, "latitude", -90.0, 90.0)
        check_number(self.longitude, "longitude", -180.0, 180.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A node of the grid tree; `parent_id` is None for a root."""

    site_id: str
    name: str
    level: SiteLevel
    parent_id: str | None = None

    def __post_init__(self) -> None:
        check_id(self.site_id, "site_id")
        check_name(self.name, "name")
        if self.parent_id is not None:
            check_id(self.parent_id, "parent_id")


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

    def __post_init__(self) -> None:
        _check_device(self.camera_id, "camera_id", self.name, self.site_id)
        check_stream_url(self.main_url, "main_url")
        if self.sub_url is not None:
            check_stream_url(self.sub_url, "sub_url")
        check_number(self.detect_fps, "detect_fps", 0.0, MAX_DETECT_FPS, above=True)
        if self.model is not None:
            check_name(self.model, "model")
        check_scene(self.zones, self.lines, self.rules)


def _check_device(device_id: str, id_field: str, name: str, site_id: str) -> None:
    check_id(device_id, id_field)
    check_name(name, "name")
    check_id(site_id, "site_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBox:
    """A box with four keys in someone's home."""

    callbox_id: str
    name: str
    site_id: str
    position: Position | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        _check_device(self.callbox_id, "callbox_id", self.name, self.site_id)


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

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_number(self.trip, "trip", -MAX_READING, MAX_READING)
        check_number(self.clear, "clear", -MAX_READING, MAX_READING)
        check_number(self.dwell_s, "dwell_s", 0.0, DAY_S)
        if self.crossing is Crossing.ABOVE and self.clear > self.trip:
            raise FieldError("clear", say(zh="不得高于 trip", en="must not be above trip"))
        if self.crossing is Crossing.BELOW and self.clear < self.trip:
            raise FieldError("clear", say(zh="不得低于 trip", en="must not be below trip"))


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

    def __post_init__(self) -> None:
        _check_device(self.sensor_id, "sensor_id", self.name, self.site_id)
        check_metric(self.metric, "metric")
        if len(self.unit) > MAX_UNIT_CHARS or not self.unit.isprintable():
            raise FieldError(
                "unit",
                say(
                    zh=f"须为不超过 {MAX_UNIT_CHARS} 个可显示的字符",
                    en=f"must be at most {MAX_UNIT_CHARS} printable characters",
                ),
            )
        check_count(self.thresholds, "thresholds", 0, MAX_THRESHOLDS)
        check_unique([threshold.name for threshold in self.thresholds], "thresholds")
        check_number(self.missing_after_s, "missing_after_s", 0.0, MONTH_S, above=True)
