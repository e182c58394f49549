"""From the spool to an object store that may be away, and the callbacks that alerts hang on."""

import asyncio
import hashlib
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from ingest.directory_store import DirectoryStore
from ingest.object_key import ObjectKind
from ingest.packet import Clip, Codec, Frame, Stamp
from ingest.snapshot import encode_jpeg, save_snapshot
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from ingest.uploader import Uploader
from runtime.backoff import Backoff
from runtime.errors import InvalidInputError, UnavailableError
from runtime.health import Health
from tests.unit.ingest.made_stream import T0_NS
from tests.waiting import eventually


class Store(DirectoryStore):
    """A directory that can be away, or refuse some keys for good."""

    is_away = False
    refused: frozenset[str] = frozenset()

    def check(self) -> None:
        self._be_there()
        super().check()

    def put_file(self, key: str, source: Path, content_type: str, sha256: str) -> None:
        self._be_there()
        if key in self.refused:
            raise InvalidInputError("too large for this store")
        super().put_file(key, source, content_type, sha256)

    def _be_there(self) -> None:
        if self.is_away:
            raise UnavailableError("the store is away")


class Bench:
    """An uploader with everything around it."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / "spool", 1 << 30, 0)
        self.spool.open()
        self.store = Store(folder / "objects")
        self.health = Health()
        self.stored: list[tuple[Clip, tuple[str, ...]]] = []
        self.lost: list[tuple[str, tuple[str, ...], str]] = []
        self.refusals = 0
        self.uploader = Uploader(
            self.spool, self.store, self._on_stored, self._on_lost, self.health, Backoff(first_s=0.02)
        )

    async def _on_stored(self, clip: Clip, alert_ids: tuple[str, ...]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("the ledger is away")
        self.stored.append((clip, alert_ids))

    async def _on_lost(self, clip_id: str, alert_ids: tuple[str, ...], reason: str) -> None:
        self.lost.append((clip_id, alert_ids, reason))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.uploader.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def put(self, object_id: str, kind: ObjectKind = ObjectKind.CLIP) -> SpoolRecord:
        record = SpoolRecord(
            object_id=object_id,
            kind=kind,
            camera_id="east",
            start_ns=T0_NS,
            end_ns=T0_NS + 1,
            alert_ids=(f"alert-{object_id}",),
            codec=Codec.H264,
        )
        file = self.spool.begin(record)
        file.write(object_id.encode())
        return self.spool.finish(file, record)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_clip_is_stored_told_and_leaves_the_spool(bench: Bench, tmp_path: Path) -> None:
    async with bench.running():
        record = bench.put("one")
        await eventually(lambda: bench.spool.size_bytes == 0 and bench.stored)
    ((clip, alert_ids),) = bench.stored
    assert alert_ids == ("alert-one",)
    assert clip.sha256 == hashlib.sha256(b"one").hexdigest() == bench.store.stat(clip.key).sha256
    assert clip.key == record.key
    assert list((tmp_path / "spool").iterdir()) == []


async def test_what_waited_before_the_start_is_uploaded(bench: Bench) -> None:
    bench.put("one")
    async with bench.running():
        await eventually(lambda: bench.stored)


async def test_a_store_away_at_the_start_gets_everything_when_it_is_back(bench: Bench) -> None:
    bench.store.is_away = True
    async with bench.running():
        bench.put("one")
        bench.put("two")
        await eventually(lambda: not bench.health.parts().get("object store", _WELL).well)
        assert bench.health.parts()["object store"].reason == "the store is away"
        assert bench.stored == []
        bench.store.is_away = False
        await eventually(lambda: len(bench.stored) == 2)
        await eventually(lambda: bench.health.parts()["object store"].well)


async def test_a_clip_whose_alert_cannot_be_revised_now_is_told_again(bench: Bench) -> None:
    bench.refusals = 2
    async with bench.running():
        bench.put("one")
        await eventually(lambda: bench.stored)
        await eventually(lambda: not bench.spool.waiting())
    assert len(bench.stored) == 1


async def test_lost_clips_are_told_with_the_reason(bench: Bench) -> None:
    async with bench.running():
        record = bench.put("one")
        bench.spool.discard(record)
        bench.spool.lose(record, "the disk is full")
        await eventually(lambda: any("full" in reason for _, _, reason in bench.lost))
        await eventually(lambda: not bench.spool.waiting())


async def test_lost_clips_are_told_while_store_and_spool_are_away(bench: Bench, tmp_path: Path) -> None:
    bench.store.is_away = True
    record = bench.put("one")
    bench.spool.discard(record)
    bench.put("two")
    shutil.rmtree(tmp_path / "spool")
    (tmp_path / "spool").write_text("not a folder")
    async with bench.running():
        bench.spool.lose(record, "the disk refuses")
        await eventually(lambda: [alert_ids for _, alert_ids, _ in bench.lost] == [("alert-one",)])
        await eventually(lambda: [waiting.object_id for waiting in bench.spool.waiting()] == ["two"])
    assert len(bench.lost) == 1


async def test_a_clip_file_that_someone_removed_is_told_as_lost(bench: Bench) -> None:
    record = bench.put("one")
    bench.spool.path(record).unlink()
    async with bench.running():
        await eventually(lambda: bench.lost)
    assert bench.lost[0][:2] == ("one", ("alert-one",))


async def test_an_object_that_the_store_refuses_for_good_is_lost_alone(bench: Bench) -> None:
    records = [bench.put("refused"), bench.put("segment", ObjectKind.SEGMENT), bench.put("kept")]
    bench.store.refused = frozenset(record.key for record in records[:2])
    async with bench.running():
        await eventually(lambda: bench.stored and bench.lost and not bench.spool.waiting())
    assert [alert_ids for _, alert_ids in bench.stored] == [("alert-kept",)]
    assert bench.lost == [("refused", ("alert-refused",), "too large for this store")]
    assert bench.spool.size_bytes == 0


async def test_segments_and_snapshots_are_stored_without_telling(bench: Bench) -> None:
    segment, snapshot = bench.put("s", ObjectKind.SEGMENT), bench.put("p", ObjectKind.SNAPSHOT)
    async with bench.running():
        await eventually(lambda: not bench.spool.waiting())
    assert bench.store.stat(segment.key).content_type == "video/mp4"
    assert bench.store.stat(snapshot.key).content_type == "image/jpeg"
    assert (bench.stored, bench.lost) == ([], [])


async def test_cancelling_leaves_at_once_although_the_store_hangs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:

    entered, release = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        entered.set()
        release.wait(5)

    monkeypatch.setattr(bench.store, "put_file", hang)
    async with asyncio.timeout(1):
        async with bench.running():
            bench.put("one")
            await eventually(entered.is_set)
    release.set()


async def test_an_unexpected_fault_ends_the_task_so_that_its_supervisor_sees_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(bench.store, "put_file", explode)
    bench.put("one")
    with pytest.raises(RuntimeError, match="boom"):
        await asyncio.wait_for(bench.uploader.run(), 5)


def frame(width_px: int, height_px: int) -> Frame:
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    picture[:, : width_px // 2] = (255, 0, 0)
    return Frame(
        Stamp("east", 0, T0_NS), av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    )


def test_a_snapshot_is_referenced_before_it_is_uploaded(bench: Bench) -> None:
    ref = save_snapshot(bench.spool, frame(320, 180), "alert")
    (record,) = bench.spool.waiting()
    content = bench.spool.path(record).read_bytes()
    assert ref.key == record.key
    assert ref.key.startswith("snapshots/east/2026/01/01/")
    assert (ref.size_bytes, ref.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (180, 320, 3)
    assert picture[90, 40, 0] > 200 > 60 > picture[90, 280, 0]


def test_a_snapshot_of_a_huge_picture_is_scaled_down() -> None:
    picture = cv2.imdecode(np.frombuffer(encode_jpeg(frame(400, 300), 100), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (76, 100, 3)


def test_a_snapshot_without_a_spool_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be written"):
        save_snapshot(Spool(tmp_path / "file" / "spool", 1 << 30, 0), frame(64, 64), "alert")


class _Well:
    well = True


_WELL = _Well()
