"""The rules of one camera: tracks of a frame in, events that started or ended out.

Synchronous, used by one thread at a time; every frame goes through `update`, also one without tracks. State is
bounded by `track_slots.MAX_TRACKS`. Raises nothing on any tracks.
"""

from collections.abc import Sequence

from analytics.events import Event, Tracks
from analytics.line_rule import LineRule
from analytics.stays import Stays
from analytics.track_slots import Rows, TrackSlots
from analytics.trigger import Trigger
from analytics.zone_rule import ZoneRule
from analytics.zones import LineSegment, ZoneMask
from devices.scene import Rule, RuleKind, Scene
from runtime.clock import NS_PER_S
from runtime.log import get_logger

GAP_S = 2.0
"""How long a track may be out of sight, or out of its zone, and still be staying; people pass behind poles."""

FORGET_S = 5.0
"""A track unseen this long does not come back: trackers give up earlier."""

FRAMES_PER_GAP = 3.0
"""At low detect rates both times are stretched, so that at least this many frames must miss the track."""

CLOCK_STEP_BACK_NS = 60 * NS_PER_S
"""Time that goes back by less is jitter and the frame is left out; by more, the clock was set and we start anew."""

_log = get_logger(__name__)


class RuleEngine:
    """All rules of one camera's scene.

    `update`, `tick` and `end_all` return each event when it starts (`end_ns` None) and again when it has ended, with
    the same `identity`; after `end_all` no event is left without its end.
    """

    def __init__(self, camera_id: str, scene: Scene, class_names: Sequence[str], detect_fps: float = 5.0) -> None:
        """`class_names` are the detector's, by class id; `detect_fps` how often frames come while something moves."""
        self._camera_id = camera_id
        self._scene = scene
        self._class_names = tuple(class_names)
        stretch = max(1.0, FRAMES_PER_GAP / (detect_fps * GAP_S))
        self._gap_s = GAP_S * stretch
        self._forget_ns = round(FORGET_S * stretch * NS_PER_S)
        self._freed: list[Event] = []
        self._slots = TrackSlots(self._on_free)
        self._rules = [self._build(rule) for rule in scene.rules]
        self._frame_ns = 0

    def update(self, tracks: Tracks) -> list[Event]:
        """Take the tracks of the next frame. A frame that is not newer than the last one is left out."""
        t_ns = tracks.detections.stamp.t_ns
        events = self._restart_if_clock_was_set(t_ns)
        if t_ns <= self._frame_ns:
            return events
        self._frame_ns = t_ns
        events += self.tick(t_ns)
        seen = self._slots.see(tracks)
        events += self._take_freed()
        for rule in self._rules:
            events += rule.see(seen)
        return events

    def tick(self, now_ns: int) -> list[Event]:
        """Let time pass when no frames come: events of tracks unseen for the gap have ended.

        Frames older than `now_ns` may still come; an event that was going on in them then ends and starts again.
        """
        events = [event for rule in self._rules for event in rule.tick(now_ns)]
        self._slots.free_unseen_since(now_ns - self._forget_ns)
        return events + self._take_freed()

    def end_all(self) -> list[Event]:
        """End every event, when its track was last seen: the camera goes away, or its rules change."""
        self._slots.free_all()
        return self._take_freed()

    def wants_frames(self, now_ns: int) -> bool:
        """Whether frames are needed though nothing moves: a stay may become loitering, a young event goes on."""
        return any(rule.wants_frames(now_ns) for rule in self._rules)

    def _build(self, rule: Rule) -> ZoneRule | LineRule:
        trigger = Trigger(self._camera_id, rule, self._class_names)
        if not trigger.can_fire:
            wanted = ", ".join(sorted(rule.classes))
            _log.warning("rule never fires: unknown classes", camera=self._camera_id, rule=rule.name, classes=wanted)
        if rule.kind is RuleKind.LINE_CROSSED:
            line = next(line for line in self._scene.lines if line.name == rule.area)
            return LineRule(trigger, LineSegment(line), self._slots.capacity)
        zone = next(zone for zone in self._scene.zones if zone.name == rule.area)
        return ZoneRule(trigger, Stays(ZoneMask(zone), self._slots, self._gap_s))

    def _restart_if_clock_was_set(self, t_ns: int) -> list[Event]:
        if t_ns > self._frame_ns - CLOCK_STEP_BACK_NS:
            return []
        _log.warning("time went back, rules start anew", camera=self._camera_id)
        events = self.end_all()
        self._rules = [self._build(rule) for rule in self._scene.rules]
        self._frame_ns = 0
        return events

    def _on_free(self, rows: Rows) -> None:
        for rule in self._rules:
            self._freed += rule.forget(rows)

    def _take_freed(self) -> list[Event]:
        freed, self._freed = self._freed, []
        return freed
