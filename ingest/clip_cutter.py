"""The event clips of one camera: asked for by alert, cut from the ring with pre-roll and post-roll.

`start` and `end` only note what is wanted (any thread, no disk); `tick` cuts (the recorder's thread). An event that
begins while a clip is open shares that clip, which grows to the later end plus post-roll, if the clip can still hold
the event's start and post-roll below its longest length; otherwise it gets a clip of its own. A clip ends early
when the session ends or the camera falls silent. A clip that cannot be is reported lost through the spool.
"""

import threading
from dataclasses import dataclass, field

from ulid import ULID

from ingest.object_key import ObjectKind
from ingest.packet import Packet
from ingest.ring import PacketRing
from ingest.ring_cut import Pumped, RingCut
from ingest.settings import CameraSettings
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.clock import NS_PER_S, Clock
from runtime.errors import SharpEyesError

SILENT_S = 10.0
"""A clip whose camera sends nothing for so long ends with what it has; with nothing, it is lost."""

LATE_S = 3.0
"""How long packets of a clip's last second may be on their way."""

MAX_ALERTS_PER_CLIP = 500
"""Keeps the record of a clip small on a camera whose rules fire without end."""

MAX_OPEN_CLIPS = 32
"""Of one camera. Clips that share leave a few at most; this bounds open files whatever the settings."""


@dataclass(slots=True)
class _Plan:
    """A clip that is wanted. `cut` is None until the first packet is there."""

    clip_id: str
    start_ns: int
    last_end_ns: int
    fed_at_s: float
    alert_ids: list[str] = field(default_factory=list)
    open_events: int = 0
    cut: RingCut | None = None
    fed_index: int = -1


class ClipCutter:
    """See the module."""

    def __init__(self, camera_id: str, ring: PacketRing, spool: Spool, settings: CameraSettings, clock: Clock) -> None:
        self._camera_id = camera_id
        self._ring = ring
        self._spool = spool
        self._pre_ns = round(settings.pre_roll_s * NS_PER_S)
        self._post_ns = round(settings.post_roll_s * NS_PER_S)
        self._max_ns = round(settings.clip_max_s * NS_PER_S)
        self._clock = clock
        self._lock = threading.Lock()
        self._plans: list[_Plan] = []

    def start(self, alert_id: str, start_ns: int) -> str:
        """Want a clip for an event that began at `start_ns`; the id of its clip."""
        with self._lock:
            plan = next((plan for plan in reversed(self._plans) if self._can_share(plan, start_ns)), None)
            if plan is None:
                plan = _Plan(str(ULID()), start_ns, start_ns, self._clock.monotonic_s())
                self._plans.append(plan)
            plan.alert_ids.append(alert_id)
            plan.open_events += 1
            plan.last_end_ns = max(plan.last_end_ns, start_ns)
            return plan.clip_id

    def end(self, clip_id: str, end_ns: int) -> bool:
        """One of the clip's events ended at `end_ns`; False when that clip is not open here (any more)."""
        with self._lock:
            plan = next((plan for plan in self._plans if plan.clip_id == clip_id), None)
            if plan is not None:
                plan.open_events = max(0, plan.open_events - 1)
                plan.last_end_ns = max(plan.last_end_ns, end_ns)
            return plan is not None

    def tick(self) -> None:
        """Cut what the ring holds for each clip, and finish those that are complete."""
        with self._lock:
            plans = list(self._plans)
        for place, plan in enumerate(plans):
            if place >= MAX_OPEN_CLIPS:
                self._close(plan, "too many clips of this camera are open at once")
            elif plan.cut is None:
                self._begin(plan)
            if plan.cut is not None:
                self._go_on(plan, plan.cut)

    def finish_all(self) -> None:
        """Finish every open clip with what it has: the camera is taken away, or the process stops."""
        with self._lock:
            plans = list(self._plans)
        for plan in plans:
            if plan.cut is None:
                self._begin(plan)
            if plan.cut is not None:
                plan.cut.pump(lambda _: False)
            self._close(plan, "recording stopped before the camera sent a picture")

    def fail(self, reason: str) -> None:
        """Forget every open clip; the whole fragments of each are kept, the others are reported lost."""
        with self._lock:
            plans, self._plans = self._plans, []
        for plan in plans:
            if plan.cut is not None:
                plan.cut.failure = reason
            self._hand_over(plan, reason)

    def _can_share(self, plan: _Plan, start_ns: int) -> bool:
        first_ns = plan.cut.record.start_ns if plan.cut else plan.start_ns - self._pre_ns
        return (
            plan.start_ns <= start_ns <= first_ns + self._max_ns - self._post_ns
            and len(plan.alert_ids) < MAX_ALERTS_PER_CLIP
        )

    def _begin(self, plan: _Plan) -> None:
        index = self._first_index(plan.start_ns)
        if index is None:
            if self._clock.monotonic_s() - plan.fed_at_s > SILENT_S:
                self._close(plan, "the camera sent no picture to make a clip of")
            return
        try:
            plan.cut = RingCut(self._ring, index, self._spool, self._record(plan))
        except SharpEyesError as error:
            self._close(plan, str(error))

    def _go_on(self, plan: _Plan, cut: RingCut) -> None:
        with self._lock:
            alert_ids = tuple(plan.alert_ids)
            stop_ns = cut.record.start_ns + self._max_ns
            if plan.open_events == 0:
                stop_ns = min(stop_ns, plan.last_end_ns + self._post_ns)
        if alert_ids != cut.record.alert_ids:
            cut.share(alert_ids)

        def is_over(packet: Packet) -> bool:
            return packet.stamp.t_ns > stop_ns

        if cut.pump(is_over) is not Pumped.HUNGRY or self._is_starved(plan, cut, stop_ns):
            self._close(plan, "")

    def _is_starved(self, plan: _Plan, cut: RingCut, stop_ns: int) -> bool:
        """Whether nothing more will come for the clip: its time is over, or the camera is silent."""
        now_s = self._clock.monotonic_s()
        if cut.next_index != plan.fed_index:
            plan.fed_index, plan.fed_at_s = cut.next_index, now_s
        return now_s - plan.fed_at_s > SILENT_S or self._clock.now_ns() > stop_ns + round(LATE_S * NS_PER_S)

    def _close(self, plan: _Plan, reason: str) -> None:
        """End the clip with what it has; one without a file is lost for `reason`. One that is closed stays so."""
        with self._lock:
            if plan not in self._plans:
                return
            self._plans.remove(plan)  # from here on no alert joins it
        self._hand_over(plan, reason)

    def _hand_over(self, plan: _Plan, reason: str) -> None:
        record = self._record(plan)
        if plan.cut is None:
            self._spool.lose(record, reason)
            return
        if record.alert_ids != plan.cut.record.alert_ids:
            plan.cut.share(record.alert_ids)
        plan.cut.finish()

    def _record(self, plan: _Plan) -> SpoolRecord:
        return SpoolRecord(
            object_id=plan.clip_id,
            kind=ObjectKind.CLIP,
            camera_id=self._camera_id,
            start_ns=plan.start_ns,
            alert_ids=tuple(plan.alert_ids),
        )

    def _first_index(self, start_ns: int) -> int | None:
        """The key frame that a clip of an event at `start_ns` begins with: within the event's own session."""
        if self._ring.tail == self._ring.head:
            return None
        at_event = self._ring.key_at_or_before(start_ns)
        if at_event is None:
            return self._ring.tail
        epoch = self._ring.epoch_at(at_event)
        first: int | None = self._ring.key_at_or_before(start_ns - self._pre_ns)
        if first is None:
            first = self._ring.tail
        while first is not None and first < at_event and self._ring.epoch_at(first) != epoch:
            first = self._ring.next_key(first + 1)
        return at_event if first is None else first
