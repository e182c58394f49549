"""Tracks made by hand, for tests of rules: one frame is a handful of people standing at given foot points."""

from collections.abc import Iterable, Mapping

import numpy as np

from analytics.events import Event, Tracks
from analytics.rules import RuleEngine
from devices.scene import Line, Rule, RuleKind, Scene, Zone
from ingest.packet import Stamp
from models.detections import Detections

NAMES = ("person", "bicycle", "car")
START_NS = 1_767_225_600_000_000_000
"""2026-01-01 00:00 UTC, a Thursday."""

S = 1_000_000_000
HEIGHT = 0.2

SQUARE = Zone(name="square", polygon=((0.4, 0.4), (0.8, 0.4), (0.8, 0.8), (0.4, 0.8)))
RIGHTWARDS = Line(name="kerb", start=(0.2, 0.5), end=(0.8, 0.5))

Foot = tuple[float, float]


def tracks_at(
    t_s: float,
    feet: Mapping[int, Foot],
    *,
    class_id: int = 0,
    height: float = HEIGHT,
    first_s: Mapping[int, float] | None = None,
) -> Tracks:
    """The tracks of one frame: `feet` by track id."""
    count = len(feet)
    x, y = np.array(list(feet.values()), np.float32).reshape(count, 2).T
    xyxy = np.stack([x - height / 5, y - height, x + height / 5, y], axis=1).astype(np.float32)
    stamp = Stamp("cam", round(t_s * 10), START_NS + round(t_s * S))
    found = Detections(stamp, xyxy, np.full(count, 0.9, np.float32), np.full(count, class_id, np.int32))
    first = [START_NS + round((first_s or {}).get(track, t_s) * S) for track in feet]
    return Tracks(found, np.array(list(feet), np.int64), np.array(first, np.int64))


def zone_rule(kind: RuleKind = RuleKind.ZONE_ENTERED, **changes: object) -> Rule:
    values: dict[str, object] = {"name": "r", "kind": kind, "area": "square", "classes": frozenset({"person"})}
    return Rule(**(values | {"cooldown_s": 0.0} | changes))  # type: ignore[arg-type]  # a test's shorthand


def line_rule(**changes: object) -> Rule:
    return zone_rule(RuleKind.LINE_CROSSED, **({"area": "kerb"} | changes))


def engine(*rules: Rule, detect_fps: float = 5.0) -> RuleEngine:
    return RuleEngine("cam", Scene(zones=(SQUARE,), lines=(RIGHTWARDS,), rules=rules), NAMES, detect_fps)


def walk(rules: RuleEngine, start_s: float, path: Iterable[Foot], track: int = 1, step_s: float = 0.2) -> list[Event]:
    """One person along a path, a foot point every `step_s`."""
    events: list[Event] = []
    for place, foot in enumerate(path):
        events += rules.update(tracks_at(start_s + place * step_s, {track: foot}))
    return events


def straight(start: Foot, end: Foot, steps: int) -> list[Foot]:
    """`steps` foot points from start to end, both included."""
    return [
        (start[0] + (end[0] - start[0]) * i / (steps - 1), start[1] + (end[1] - start[1]) * i / (steps - 1))
        for i in range(steps)
    ]


def started(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.end_ns is None]


def ended(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event.end_ns is not None]


def at_s(t_ns: int | None) -> float:
    """Seconds since the start of a test."""
    assert t_ns is not None
    return (t_ns - START_NS) / S
