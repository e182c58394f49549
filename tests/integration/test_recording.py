"""From a real camera to clips in a real object store, and what is left when things die on the way."""

import asyncio
import hashlib
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from devices.model import Camera, PlaceType, Purpose, RecordingMode
from ingest.libav_session import LibavSession
from ingest.object_key import ObjectKind
from ingest.object_store import ObjectStore
from ingest.packet import Clip
from ingest.receiver import CameraReceiver
from ingest.recorder import Recorder
from ingest.ring import PacketRing
from ingest.s3_store import S3Store
from ingest.session import StreamSource
from ingest.settings import CameraSettings, ObjectStoreSettings
from ingest.spool import Spool
from ingest.uploader import Uploader
from runtime.backoff import Backoff
from runtime.clock import NS_PER_S, SystemClock
from runtime.health import Health
from tests.ffprobe import ffprobe
from tests.servers.fixtures import Factory
from tests.servers.minio import MinioServer
from tests.servers.rtsp import RtspServer
from tests.waiting import eventually, wait_until

SETTINGS = CameraSettings(pre_roll_s=2, post_roll_s=1, clip_max_s=20, segment_s=2)
ROOM = 1 << 30


def bucket_of(server: MinioServer) -> S3Store:
    return S3Store(
        ObjectStoreSettings(
            s3_endpoint=server.endpoint,
            s3_bucket=f"rec-{uuid.uuid4().hex}",
            s3_access_key=SecretStr(server.access_key),
            s3_secret_key=SecretStr(server.secret_key),
        )
    )


def camera(url: str, recording: RecordingMode = RecordingMode.EVENTS) -> Camera:
    return Camera(
        camera_id="east",
        name="East",
        site_id="village",
        main_url=url,
        purpose=Purpose.TRAFFIC,
        place_type=PlaceType.ROAD,
        recording=recording,
    )


class Station:
    """A camera, its ring, the recorder, the spool and the uploader, as in a worker."""

    def __init__(self, folder: Path, store: ObjectStore) -> None:
        self.clock = SystemClock()
        self.ring = PacketRing(12, 32 << 20)
        self.spool = Spool(folder / "spool", ROOM, 0)
        self.recorder = Recorder(self.spool, SETTINGS, self.clock)
        self.health = Health()
        self.stored: dict[str, tuple[Clip, tuple[str, ...]]] = {}
        self.lost: list[str] = []
        self.uploader = Uploader(
            self.spool, store, self._on_stored, self._on_lost, self.health, Backoff(first_s=0.1, max_s=0.5)
        )

    async def _on_stored(self, clip: Clip, alert_ids: tuple[str, ...]) -> None:
        self.stored[clip.clip_id] = (clip, alert_ids)

    async def _on_lost(self, clip_id: str, alert_ids: tuple[str, ...], reason: str) -> None:
        self.lost.append(reason)

    @asynccontextmanager
    async def recording(self, url: str, mode: RecordingMode = RecordingMode.EVENTS) -> AsyncIterator[None]:
        def open_session() -> LibavSession:
            return LibavSession("east", StreamSource(url))

        receiver = CameraReceiver("east", open_session, self.ring, clock=self.clock, on_condition=lambda _: None)
        tasks = [asyncio.create_task(receiver.run()), asyncio.create_task(self.uploader.run())]
        self.recorder.add_camera(camera(url, mode), self.ring)
        self.recorder.start()
        try:
            await eventually(lambda: self.ring.head > 0, 15, "a key frame from the camera")
            yield
        finally:
            await asyncio.to_thread(self.recorder.stop)
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def seconds_in_ring(self, seconds: float) -> None:
        def held_s() -> bool:
            batch = self.ring.read(self.ring.tail, 1)
            newest = self.ring.read(max(self.ring.tail, self.ring.head - 1), 1)
            if not batch.packets or not newest.packets:
                return False
            return newest.packets[0].stamp.t_ns - batch.packets[0].stamp.t_ns >= seconds * NS_PER_S

        await eventually(held_s, 20, f"{seconds} s in the ring")


@pytest.mark.parametrize(("mount", "codec", "tag"), [("large", "h264", "avc1"), ("street-h265", "hevc", "hvc1")])
async def test_a_clip_of_a_real_camera_reaches_minio_as_other_players_like_it(
    rtsp_server: RtspServer, minio: MinioServer, tmp_path: Path, mount: str, codec: str, tag: str
) -> None:
    store = bucket_of(minio)
    station = Station(tmp_path, store)
    async with station.recording(rtsp_server.url(mount)):
        await station.seconds_in_ring(4)
        event_ns = station.clock.now_ns() - NS_PER_S // 2
        clip_id = station.recorder.start_clip("alert", "east", event_ns)
        station.recorder.end_clip(clip_id, event_ns + NS_PER_S)
        await eventually(lambda: clip_id in station.stored, 20)
    clip, alert_ids = station.stored[clip_id]
    store.fetch(clip.key, tmp_path / "clip.mp4")
    content = (tmp_path / "clip.mp4").read_bytes()
    assert alert_ids == ("alert",)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (clip.size_bytes, clip.sha256)
    assert store.stat(clip.key).sha256 == clip.sha256
    seen = ffprobe(tmp_path / "clip.mp4")
    assert (seen.codec, seen.tag, seen.complaints) == (codec, tag, "")
    assert seen.is_key[0]
    assert seen.pts_s[0] == 0
    assert clip.start_ns <= event_ns - 2 * NS_PER_S
    assert clip.end_ns >= event_ns + 1.9 * NS_PER_S
    assert seen.duration_s == pytest.approx((clip.end_ns - clip.start_ns) / NS_PER_S, abs=0.1)
    assert 3.9 <= seen.duration_s <= 7.5


async def test_continuous_segments_of_a_real_camera_are_gapless(
    rtsp_server: RtspServer, minio: MinioServer, tmp_path: Path
) -> None:
    store = bucket_of(minio)
    station = Station(tmp_path, store)
    async with station.recording(rtsp_server.url("large"), RecordingMode.CONTINUOUS):
        await eventually(lambda: len(list(store.keys("segments/east/"))) >= 3, 25)
    pictures = 0
    starts = []
    for key in sorted(store.keys("segments/east/"), key=lambda key: key.rsplit("/", 1)[1])[:3]:
        store.fetch(key, tmp_path / "segment.mp4")
        seen = ffprobe(tmp_path / "segment.mp4")
        assert seen.is_key[0]
        assert seen.complaints == ""
        assert seen.duration_s == pytest.approx(2, abs=1.1)
        pictures += len(seen.pts_s)
        starts.append(seen.duration_s)
    assert pictures == pytest.approx(sum(starts) * 25, abs=3)


async def test_a_clip_cut_while_minio_is_away_arrives_when_it_is_back(
    rtsp_server: RtspServer, own_minio: Factory[MinioServer], tmp_path: Path
) -> None:
    server = own_minio(start=False)
    store = bucket_of(server)
    station = Station(tmp_path, store)
    async with station.recording(rtsp_server.url("large")):
        await station.seconds_in_ring(2)
        first = station.recorder.start_clip("at start", "east", station.clock.now_ns())
        station.recorder.end_clip(first, station.clock.now_ns())
        await eventually(lambda: not station.health.parts().get("object store", _WELL).well, 20)
        assert first not in station.stored
        await asyncio.to_thread(server.start)
        await eventually(lambda: first in station.stored, 30)
        await asyncio.to_thread(server.kill)
        second = station.recorder.start_clip("in the middle", "east", station.clock.now_ns())
        station.recorder.end_clip(second, station.clock.now_ns())
        await eventually(lambda: not station.health.parts()["object store"].well, 20)
        await asyncio.to_thread(server.start)
        await eventually(lambda: second in station.stored, 30)
    assert store.stat(station.stored[second][0].key).sha256 == station.stored[second][0].sha256
    assert station.lost == []
    assert station.spool.waiting() == []


class _Well:
    well = True


_WELL = _Well()

RECORDING_PROCESS = """
import resource, sys, threading
from pathlib import Path
from devices.model import *
from ingest.recorder import Recorder
from ingest.ring import PacketRing
from ingest.settings import CameraSettings
from ingest.spool import Spool
from runtime.clock import SystemClock
from tests.unit.ingest.made_stream import later, made_stream

folder, limit_bytes = Path(sys.argv[1]), int(sys.argv[2])
if limit_bytes:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
clock, ring = SystemClock(), PacketRing(12, 32 << 20)
info, packets = made_stream(3, size=(640, 360))
ring.begin_session(info)
recorder = Recorder(Spool(folder, 1 << 30, 0), CameraSettings(clip_max_s=600), clock)
camera = Camera(camera_id="east", name="East", site_id="s", main_url="rtsp://127.0.0.1/e", purpose=Purpose.TRAFFIC,
                place_type=PlaceType.ROAD)
recorder.add_camera(camera, ring)
recorder.start()
start_ns = clock.now_ns()
recorder.start_clip("alert", "east", start_ns)
for lap in range(200):
    for packet in packets:
        shift_s = 3.0 * lap + (start_ns - packets[0].stamp.t_ns) / 1e9
        ring.append(later(packet, shift_s))
        threading.Event().wait(0.002)
"""
"""Feeds made-up packets faster than real time; told to stop by a signal only, or by its end."""


def recording_process(folder: Path, limit_bytes: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RECORDING_PROCESS, str(folder), str(limit_bytes)], stderr=subprocess.DEVNULL
    )


def test_a_recording_process_killed_in_the_middle_leaves_a_clip_that_plays(tmp_path: Path) -> None:
    process = recording_process(tmp_path / "spool")
    try:
        wait_until(lambda: any(part.stat().st_size > 50_000 for part in (tmp_path / "spool").glob("*.part")), 30)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    spool = Spool(tmp_path / "spool", ROOM, 0)
    spool.open()
    (clip,) = spool.waiting()
    assert (clip.kind, clip.alert_ids, clip.lost) == (ObjectKind.CLIP, ("alert",), "")
    content = spool.path(clip).read_bytes()
    assert clip.sha256 == hashlib.sha256(content).hexdigest()
    seen = ffprobe(spool.path(clip))
    assert seen.is_key[0]
    assert seen.complaints == ""
    assert seen.duration_s == pytest.approx((clip.end_ns - clip.start_ns) / NS_PER_S, abs=0.15)
    assert seen.duration_s > 1


def test_a_disk_that_takes_no_more_leaves_a_clip_that_plays(tmp_path: Path) -> None:
    """The limit is the system's own: what a file may grow to. Writing beyond fails as on a full disk."""
    process = recording_process(tmp_path / "spool", limit_bytes=60_000)
    spool_folder = tmp_path / "spool"
    try:
        wait_until(lambda: any(spool_folder.glob("*.mp4")), 30)
        assert process.poll() is None, "the recording process went on"
    finally:
        process.kill()
        process.wait(10)
    spool = Spool(spool_folder, ROOM, 0)
    spool.open()
    (clip,) = spool.waiting()
    assert 0 < clip.size_bytes <= 60_000
    assert clip.lost == ""
    seen = ffprobe(spool.path(clip))
    assert seen.complaints == ""
    assert len(seen.pts_s) > 10
