"""Events become alerts: revision 1 at once, the clip as the next one, and no alert waits for ever."""

from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from alerts.contract import AlertStatus, AlertV1, Change, ClipState, SiteRef
from alerts.ledger import Ledger
from analytics.camera_alerts import EVENT_END, CameraAlerts
from analytics.events import Event
from devices.model import PlaceType, RecordingMode, SiteLevel
from devices.scene import Rule, RuleKind
from ingest.packet import Clip, Codec, Frame, Stamp
from ingest.spool import Spool
from runtime.clock import NS_PER_S, FakeClock, to_ns
from tests.registry_records import camera

RULE = Rule(name="person in yard", kind=RuleKind.ZONE_ENTERED, area="yard", classes=frozenset({"person"}))
EAST = camera("east", name="East gate", place_type=PlaceType.SQUARE)


def event(start_ns: int, end_ns: int | None = None) -> Event:
    return Event(
        camera_id="east",
        rule=RULE,
        object_class="person",
        score=0.8,
        box=(0.1, 0.2, 0.3, 0.4),
        track_id=7,
        start_ns=start_ns,
        end_ns=end_ns,
    )


def frame(t_ns: int) -> Frame:
    picture = av.VideoFrame.from_ndarray(np.full((72, 128, 3), 90, np.uint8), format="bgr24").reformat(format="yuv420p")
    picture.time_base = Fraction(1, 90_000)
    return Frame(Stamp("east", 0, t_ns), picture)


def clip(start_ns: int) -> Clip:
    return Clip(
        clip_id="clip-1",
        camera_id="east",
        start_ns=start_ns,
        end_ns=start_ns + 10 * NS_PER_S,
        key="clips/east/2026/01/01/clip-1.mp4",
        size_bytes=1000,
        sha256="0" * 64,
        codec=Codec.H264,
    )


class RecorderStub:
    def __init__(self) -> None:
        self.started: list[tuple[str, int]] = []
        self.ended: list[tuple[str, int]] = []

    def start_clip(self, alert_id: str, camera_id: str, start_ns: int) -> str:
        self.started.append((alert_id, start_ns))
        return "clip-1"

    def end_clip(self, clip_id: str, end_ns: int) -> None:
        self.ended.append((clip_id, end_ns))


class Desk:
    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock()
        self.ledger = Ledger(tmp_path / "worker.ledger.db", "worker-1", self.clock)
        self.recorder = RecorderStub()
        self.spool = Spool(tmp_path / "spool", 1 << 30, 0)
        self.alerts = CameraAlerts(self.ledger, self.recorder, self.spool, site_path, self.clock)

    async def alert(self, alert_id: str) -> AlertV1:
        found = await self.ledger.apply(lambda txn: txn.alert(alert_id))
        assert found is not None
        return found


def site_path(site_id: str) -> tuple[SiteRef, ...]:
    return (SiteRef(site_id=site_id, name="Willow village", level=SiteLevel.VILLAGE),)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    made.spool.open()
    async with made.ledger:
        yield made


async def test_an_event_opens_an_alert_with_its_picture_and_starts_the_clip(desk: Desk) -> None:
    start_ns = desk.clock.now_ns() - NS_PER_S
    alert_id = await desk.alerts.opened(EAST, event(start_ns), frame(start_ns))
    alert = await desk.alert(alert_id)
    assert (alert.revision, alert.change, alert.status) == (1, Change.OPENED, AlertStatus.OPEN)
    assert alert.snapshot is not None
    assert alert.snapshot.key.startswith("snapshots/east/")
    assert alert.clip_state is ClipState.PENDING
    assert alert.observation is not None
    assert to_ns(alert.observation.started_at) == start_ns
    assert "person" in alert.summary.en
    assert desk.recorder.started == [(alert_id, start_ns)]
    waiting = await desk.ledger.apply(lambda txn: txn.waiting(10))
    assert [(row.alert_id, row.revision) for row in waiting] == [(alert_id, 1)]


async def test_the_stored_clip_is_the_next_revision_and_counts_once(desk: Desk) -> None:
    start_ns = desk.clock.now_ns()
    alert_id = await desk.alerts.opened(EAST, event(start_ns), frame(start_ns))
    await desk.alerts.ended(event(start_ns, start_ns + NS_PER_S))
    assert desk.recorder.ended == [("clip-1", start_ns + NS_PER_S)]
    for _ in range(2):
        await desk.alerts.clip_stored(clip(start_ns), (alert_id,))
    alert = await desk.alert(alert_id)
    assert (alert.revision, alert.change, alert.clip_state) == (2, Change.UPDATED, ClipState.READY)
    assert alert.clip is not None
    assert alert.clip.key == clip(start_ns).key
    assert alert.observation is not None
    assert alert.observation.ended_at is not None
    assert to_ns(alert.observation.ended_at) == start_ns + NS_PER_S


async def test_the_event_s_end_is_told_after_a_restart_and_with_a_lost_clip(desk: Desk) -> None:
    start_ns = desk.clock.now_ns()
    alert_id = await desk.alerts.opened(EAST, event(start_ns), frame(start_ns))
    await desk.alerts.ended(event(start_ns, start_ns + NS_PER_S))
    restarted = CameraAlerts(desk.ledger, desk.recorder, desk.spool, site_path, desk.clock)
    await restarted.clip_lost("clip-1", (alert_id,), "the disk was full")
    alert = await desk.alert(alert_id)
    assert alert.observation is not None
    assert alert.observation.ended_at is not None
    assert to_ns(alert.observation.ended_at) == start_ns + NS_PER_S


async def test_nothing_is_kept_of_an_event_that_is_over(desk: Desk) -> None:
    alert_id = await desk.alerts.opened(EAST, event(1), frame(1))
    late = await desk.alerts.opened(EAST, event(2), frame(2))
    await desk.alerts.ended(event(1, 5))
    await desk.alerts.clip_stored(clip(1), (alert_id, late))
    await desk.alerts.ended(event(2, 6))
    assert desk.alerts._clip_of == {}
    for alert in (alert_id, late):
        assert await desk.ledger.apply(lambda txn, alert=alert: txn.recall(f"{EVENT_END}/{alert}")) == {}  # type: ignore[misc]
    assert desk.recorder.ended == [("clip-1", 5), ("clip-1", 6)]


async def test_a_camera_that_does_not_record_gets_alerts_without_a_clip(desk: Desk) -> None:
    alert_id = await desk.alerts.opened(camera("east", recording=RecordingMode.OFF), event(1), frame(1))
    assert (await desk.alert(alert_id)).clip_state is ClipState.NONE
    assert desk.recorder.started == []


async def test_a_lost_clip_is_said_so_and_no_longer_awaited(desk: Desk) -> None:
    lost = await desk.alerts.opened(EAST, event(1), frame(1))
    kept = await desk.alerts.opened(EAST, event(2), frame(2))
    await desk.alerts.clip_lost("clip-1", (lost,), "the disk was full")
    assert (await desk.alert(lost)).clip_state is ClipState.LOST
    assert await desk.alerts.pending_clips() == {kept}


async def test_an_alert_goes_out_without_a_picture_when_the_spool_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    desk = Desk(tmp_path)
    async with desk.ledger:
        alert_id = await desk.alerts.opened(EAST, event(1), frame(1))
        assert (await desk.alert(alert_id)).snapshot is None
