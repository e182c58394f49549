"""What a camera looks for: zones, lines and the rules upon them, in fractions of the picture, origin top left.

Frozen dataclasses without a thread of their own. Each checks its own bounds when made and raises `FieldError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from devices.validation import (
    FieldError,
    check_count,
    check_fraction_point,
    check_name,
    check_number,
    check_polygon,
    check_timezone,
    check_unique,
    shown,
)
from runtime.language import say

MAX_POLYGON_POINTS = 64
MAX_SHAPES = 64
MAX_RULES = 64
MAX_WINDOWS = 32
MAX_CLASSES = 32
MAX_CLASS_CHARS = 40
DAY_S = 86_400.0

Point = tuple[float, float]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A named polygon, 3 to 64 points, fractions of the picture."""

    name: str
    polygon: tuple[Point, ...]

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_polygon(self.polygon, "polygon", MAX_POLYGON_POINTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named directed segment, fractions of the picture."""

    name: str
    start: Point
    end: Point

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_fraction_point(self.start, "start")
        check_fraction_point(self.end, "end")
        if self.start == self.end:
            raise FieldError(
                "end", say(zh="起点和终点相同，构不成线", en="is the same point as start; a line needs two")
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Local minutes of the day, on some weekdays (0 = Monday). `end_min` <= `start_min` runs over midnight."""

    start_min: int
    end_min: int
    weekdays: frozenset[int] = frozenset(range(7))

    def __post_init__(self) -> None:
        check_number(self.start_min, "from", 0, 24 * 60 - 1)
        check_number(self.end_min, "to", 0, 24 * 60)
        check_count(self.weekdays, "weekdays", 1, 7)
        for day in self.weekdays:
            check_number(day, "weekdays", 0, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a rule is armed; no window at all means always."""

    timezone: str = "Asia/Shanghai"
    windows: tuple[TimeWindow, ...] = ()

    def __post_init__(self) -> None:
        check_timezone(self.timezone, "timezone")
        check_count(self.windows, "windows", 0, MAX_WINDOWS)


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

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_name(self.area, "area")
        check_count(self.classes, "classes", 1, MAX_CLASSES)
        for object_class in self.classes:
            check_name(object_class, "classes", MAX_CLASS_CHARS)
        check_number(self.min_height, "min_height", 0.0, 1.0)
        check_number(self.cooldown_s, "cooldown_s", 0.0, DAY_S)
        check_number(self.dwell_s, "dwell_s", 0.0, DAY_S, above=self.kind is RuleKind.LOITERING)
        self._refuse_idle_fields()

    def _refuse_idle_fields(self) -> None:
        """A field that this kind of rule would not look at is a misunderstanding, so it is refused, not ignored."""
        if self.dwell_s and self.kind is not RuleKind.LOITERING:
            raise FieldError("dwell_s", say(zh="只用于 loitering 规则", en="belongs to loitering rules only"))
        if self.direction is not Direction.BOTH and self.kind is not RuleKind.LINE_CROSSED:
            raise FieldError("direction", say(zh="只用于 line_crossed 规则", en="belongs to line_crossed rules only"))


def check_scene(zones: Sequence[Zone], lines: Sequence[Line], rules: Sequence[Rule]) -> None:
    """Raise FieldError unless names differ and every rule names a zone or line, as its kind wants, of this scene."""
    for path, shapes, limit in (
        ("zones", zones, MAX_SHAPES),
        ("lines", lines, MAX_SHAPES),
        ("rules", rules, MAX_RULES),
    ):
        check_count(shapes, path, 0, limit)
        check_unique([shape.name for shape in shapes], path)
    zone_names = {zone.name for zone in zones}
    line_names = {line.name for line in lines}
    for index, rule in enumerate(rules):
        path = f"rules[{index}].area"
        if rule.kind is RuleKind.LINE_CROSSED and rule.area not in line_names:
            raise FieldError(path, say(zh=f"没有线 {shown(rule.area)}", en=f"there is no line {shown(rule.area)}"))
        if rule.kind is not RuleKind.LINE_CROSSED and rule.area not in zone_names:
            raise FieldError(path, say(zh=f"没有区域 {shown(rule.area)}", en=f"there is no zone {shown(rule.area)}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The zones, lines and rules of one camera, consistent with each other."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        check_scene(self.zones, self.lines, self.rules)
