"""From events to alerts: opens one at a rule's event, ends its clip with the event, adds the clip once stored.

Runs on the loop. In: events with their frame's snapshot, stored and lost clips. Out: revisions in the ledger. Raises
`UnavailableError` when the ledger's disk does not take the commit; the caller keeps the event and tries again.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from alerts.contract import (
    AlertKind,
    AlertStatus,
    AlertV1,
    Change,
    ClipRef,
    ClipState,
    ObjectRef,
    Observation,
    SiteRef,
    Text,
)
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn
from alerts.revision import new_alert_id, revise
from alerts.wording import line_crossed, loitering, zone_entered
from analytics.events import Event
from devices.model import Camera, DeviceKind, RecordingMode
from devices.scene import RuleKind
from ingest.packet import Clip, Frame
from ingest.snapshot import save_snapshot
from ingest.spool import Spool
from runtime.clock import Clock, utc
from runtime.errors import UnavailableError
from runtime.log import get_logger

MAX_GOING_ON = 4096
"""Alerts whose event has not ended, over all cameras of a worker; older ones no longer get their end."""

EVENT_END = "event-end"
"""What the ledger remembers, in a scope for each alert whose clip is on its way: ASCII nanoseconds."""

_log = get_logger(__name__)


class ClipRecorder(Protocol):
    """What cuts clips; `ingest.recorder.Recorder` outside tests."""

    def start_clip(self, alert_id: str, camera_id: str, start_ns: int) -> str: ...
    def end_clip(self, clip_id: str, end_ns: int) -> None: ...


SitePath = Callable[[str], tuple[SiteRef, ...]]
"""The sites from the root of the grid tree to the one named."""


class CameraAlerts:
    """The alerts of all cameras of one worker."""

    def __init__(self, ledger: Ledger, recorder: ClipRecorder, spool: Spool, site_path: SitePath, clock: Clock) -> None:
        self._ledger = ledger
        self._spool = spool
        self._recorder = recorder
        self._site_path = site_path
        self._clock = clock
        self._clip_of: dict[tuple[str, str, int, int], tuple[str, str]] = {}

    async def opened(self, camera: Camera, event: Event, frame: Frame) -> str:
        """Keep the picture, commit revision 1, start the clip; returns the alert's id."""
        with_clip = camera.recording is not RecordingMode.OFF
        alert_id = new_alert_id(self._clock.now_ns())
        snapshot = await self._snapshot(frame, alert_id)
        alert = self._first_revision(alert_id, camera, event, snapshot, with_clip)
        await self._ledger.apply(lambda txn: txn.put(alert))
        if with_clip:
            clip_id = self._recorder.start_clip(alert.alert_id, camera.camera_id, event.start_ns)
            self._remember(event, alert_id, clip_id)
        return alert.alert_id

    async def ended(self, event: Event) -> None:
        """The event is over: its clip ends after the post-roll, and the clip's revision will tell the end."""
        found, end_ns = self._clip_of.get(event.identity), event.end_ns
        if found is None or end_ns is None:
            return
        alert_id, clip_id = found
        await self._ledger.apply(lambda txn: _note_end(txn, alert_id, end_ns))
        self._clip_of.pop(event.identity, None)
        self._recorder.end_clip(clip_id, end_ns)

    async def clip_stored(self, clip: Clip, alert_ids: tuple[str, ...]) -> None:
        """The clip is in the object store: the next revision of its alerts names it. Told twice, it counts once."""
        found = ClipRef(
            clip_id=clip.clip_id,
            key=clip.key,
            size_bytes=clip.size_bytes,
            sha256=clip.sha256,
            codec=clip.codec,
            started_at=utc(clip.start_ns),
            ended_at=utc(clip.end_ns),
        )
        await self._ledger.apply(lambda txn: _settle_clips(txn, alert_ids, ClipState.READY, found))

    async def clip_lost(self, clip_id: str, alert_ids: tuple[str, ...], reason: str) -> None:
        """No clip will come: the next revision of its alerts says so."""
        _log.warning("clip lost", clip=clip_id, alerts=alert_ids, reason=reason)
        await self._ledger.apply(lambda txn: _settle_clips(txn, alert_ids, ClipState.LOST, None))

    async def pending_clips(self) -> frozenset[str]:
        """The alerts that wait for their clip."""
        unfinished = await self._ledger.apply(lambda txn: txn.unfinished())
        return frozenset(alert.alert_id for alert in unfinished if alert.clip_state is ClipState.PENDING)

    def _remember(self, event: Event, alert_id: str, clip_id: str) -> None:
        while len(self._clip_of) >= MAX_GOING_ON:
            del self._clip_of[next(iter(self._clip_of))]
        self._clip_of[event.identity] = alert_id, clip_id

    async def _snapshot(self, frame: Frame, alert_id: str) -> ObjectRef | None:
        """The picture's reference; None when the spool refuses it: the alert goes out without."""
        try:
            return await asyncio.to_thread(save_snapshot, self._spool, frame, alert_id)
        except UnavailableError as error:
            _log.warning("alert without snapshot", alert=alert_id, reason=str(error))
            return None

    def _first_revision(
        self, alert_id: str, camera: Camera, event: Event, snapshot: ObjectRef | None, with_clip: bool
    ) -> AlertV1:
        now_ns = self._clock.now_ns()
        kind = AlertKind(event.rule.kind)
        return AlertV1(
            alert_id=alert_id,
            revision=1,
            change=Change.OPENED,
            status=AlertStatus.OPEN,
            kind=kind,
            severity=event.rule.severity,
            device_id=camera.camera_id,
            device_kind=DeviceKind.CAMERA,
            device_name=camera.name,
            sites=self._site_path(camera.site_id),
            owner=self._ledger.owner,
            summary=_summary(camera, event),
            opened_at=utc(now_ns),
            updated_at=utc(now_ns),
            observation=_observation(event),
            snapshot=snapshot,
            clip_state=ClipState.PENDING if with_clip else ClipState.NONE,
        )


def _observation(event: Event) -> Observation:
    return Observation(
        rule=event.rule.name,
        area=event.rule.area,
        object_class=event.object_class,
        score=event.score,
        box=event.box,
        track_id=event.track_id,
        started_at=utc(event.start_ns),
        ended_at=None if event.end_ns is None else utc(event.end_ns),
        direction=event.direction,
        dwell_s=event.dwell_s,
    )


def _end_scope(alert_id: str) -> str:
    return f"{EVENT_END}/{alert_id}"


def _note_end(txn: LedgerTxn, alert_id: str, end_ns: int) -> None:
    alert = txn.alert(alert_id)
    if alert is not None and alert.clip_state is ClipState.PENDING:
        txn.remember(_end_scope(alert_id), EVENT_END, str(end_ns).encode())


def _settle_clips(txn: LedgerTxn, alert_ids: tuple[str, ...], state: ClipState, clip: ClipRef | None) -> None:
    for alert_id in alert_ids:
        alert = txn.alert(alert_id)
        if alert is not None and alert.clip_state is ClipState.PENDING:
            end = txn.recall(_end_scope(alert_id)).get(EVENT_END)
            observation = _with_end(alert.observation, end)
            txn.put(revise(alert, Change.UPDATED, txn.now_ns, clip=clip, clip_state=state, observation=observation))
        txn.forget(_end_scope(alert_id), EVENT_END)


def _with_end(observation: Observation | None, end: bytes | None) -> Observation | None:
    """The observation with its event's end, when that has come."""
    if observation is None or end is None:
        return observation
    return msgspec.structs.replace(observation, ended_at=utc(int(end)))


def _summary(camera: Camera, event: Event) -> Text:
    match event.rule.kind:
        case RuleKind.ZONE_ENTERED:
            return zone_entered(camera.name, event.object_class, event.rule.area)
        case RuleKind.LINE_CROSSED:
            return line_crossed(camera.name, event.object_class, event.rule.area, event.direction)
        case RuleKind.LOITERING:
            return loitering(camera.name, event.object_class, event.rule.area, event.dwell_s or event.rule.dwell_s)
