"""The wire form of alerts, case updates and device states: JSON values of the Kafka topics.

Each alert message is a full snapshot; the highest `revision` of an `alert_id` wins. `alerts.schema_export` writes
the JSON Schema files and the AsyncAPI document from these types. Readers ignore fields they do not know.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from devices.model import DeviceKind, Direction, Severity, SiteLevel

TOPIC_ALERTS = "sharpeyes.alerts"
TOPIC_DEVICE_STATE = "sharpeyes.device-state"
TOPIC_CASE_UPDATES = "sharpeyes.case-updates"
DEAD_LETTER_SUFFIX = ".dlq"

TYPE_ALERT = "sharpeyes.alert.v1"
TYPE_DEVICE_STATE = "sharpeyes.device-state.v1"
TYPE_CASE_UPDATE = "sharpeyes.case-update.v1"

AlertId = Annotated[str, Meta(pattern="^[0-9A-HJKMNP-TV-Z]{26}$", max_length=26, description="ULID of the alert")]
DeviceId = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="device id of the registry")]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with its offset; UTC from Sharp Eyes")]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
ShortText = Annotated[str, Meta(max_length=200)]
NoteText = Annotated[str, Meta(max_length=2000)]


class AlertKind(StrEnum):
    ZONE_ENTERED = "zone_entered"
    LINE_CROSSED = "line_crossed"
    LOITERING = "loitering"
    CALL = "call"
    SENSOR_THRESHOLD = "sensor_threshold"
    SENSOR_MISSING = "sensor_missing"


class AlertStatus(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Change(StrEnum):
    """What a revision did to its alert."""

    OPENED = "opened"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    RESOLVED = "resolved"
    CLOSED = "closed"


class ClipState(StrEnum):
    NONE = "none"
    PENDING = "pending"
    READY = "ready"
    LOST = "lost"


class CallStep(StrEnum):
    OPEN = "open"
    RINGING = "ringing"
    ANSWERED = "answered"
    DISPATCHED = "dispatched"
    RATING = "rating"
    CLOSED = "closed"


class CallOutcome(StrEnum):
    """How a closed call ended."""

    RATED = "rated"
    UNRATED = "unrated"
    ABANDONED = "abandoned"
    REJECTED = "rejected"


class Rating(StrEnum):
    UP = "up"
    DOWN = "down"


class CaseStatus(StrEnum):
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REJECTED = "rejected"


class Text(Struct, frozen=True, kw_only=True):
    """One sentence for people, in both languages."""

    zh: str
    en: str


class SiteRef(Struct, frozen=True, kw_only=True):
    site_id: DeviceId
    name: str
    level: SiteLevel


class Observation(Struct, frozen=True, kw_only=True):
    """What a camera's rule saw. `box` is x1, y1, x2, y2 in fractions of the picture."""

    rule: str
    area: str
    object_class: str
    score: Fraction
    box: tuple[Fraction, Fraction, Fraction, Fraction]
    track_id: int
    started_at: Moment
    ended_at: Moment | None = None
    direction: Direction | None = None
    dwell_s: float | None = None


class CallDetail(Struct, frozen=True, kw_only=True):
    """Where a help call stands. `site_id` is who is being rung now; `escalations` counts the levels gone up.

    `since` is when this step began; while ringing, when this site began to be rung.
    """

    step: CallStep
    site_id: DeviceId
    since: Moment | None = None
    escalations: int = 0
    rating: Rating | None = None
    outcome: CallOutcome | None = None


class Reading(Struct, frozen=True, kw_only=True):
    """The sensor value that tripped; None when the alert is that data is missing."""

    metric: str
    unit: str
    value: float | None = None
    threshold: str | None = None
    limit: float | None = None


class ObjectRef(Struct, frozen=True, kw_only=True):
    """An object in the clip store."""

    key: str
    content_type: str
    size_bytes: int
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ClipRef(Struct, frozen=True, kw_only=True):
    """The clip of an alert: fragmented MP4, first frame a key frame before the event."""

    clip_id: str
    key: str
    size_bytes: int
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    codec: str
    started_at: Moment
    ended_at: Moment


class CaseRef(Struct, frozen=True, kw_only=True):
    """What the case system said last."""

    status: CaseStatus
    at: Moment
    by: ShortText = ""
    note: NoteText = ""
    case_id: ShortText = ""


class AlertV1(Struct, frozen=True, kw_only=True):
    """One revision of one alert, whole. `owner` is the process that keeps it and applies case updates."""

    alert_id: AlertId
    revision: Annotated[int, Meta(ge=1)]
    change: Change
    status: AlertStatus
    kind: AlertKind
    severity: Severity
    device_id: DeviceId
    device_kind: DeviceKind
    device_name: str
    sites: Annotated[tuple[SiteRef, ...], Meta(description="from the root of the grid tree to the device's own site")]
    owner: str
    summary: Text
    opened_at: Moment
    updated_at: Moment
    closed_at: Moment | None = None
    observation: Observation | None = None
    call: CallDetail | None = None
    reading: Reading | None = None
    snapshot: ObjectRef | None = None
    clip: ClipRef | None = None
    clip_state: ClipState = ClipState.NONE
    case: CaseRef | None = None


class CaseUpdateV1(Struct, frozen=True, kw_only=True):
    """The case system's answer. The same `update_id` twice counts once."""

    update_id: Annotated[str, Meta(min_length=1, max_length=128)]
    alert_id: AlertId
    status: CaseStatus
    at: Moment
    by: ShortText = ""
    note: NoteText = ""
    case_id: ShortText = ""


class DeviceCondition(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    DEGRADED = "degraded"


class DeviceStateV1(Struct, frozen=True, kw_only=True):
    """How a device is, why, and since when. `code` is stable for programs, `reason` is for people."""

    device_id: DeviceId
    device_kind: DeviceKind
    condition: DeviceCondition
    code: str
    reason: Text
    since: Moment
