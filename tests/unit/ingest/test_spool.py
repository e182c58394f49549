"""The spool: what it keeps, what it drops, and what it makes of what a killed process left."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from ingest.fmp4 import FragmentWriter
from ingest.object_key import ObjectKind
from ingest.packet import Codec
from ingest.spool import Spool, SpoolFullError
from ingest.spool_record import MAX_RECORD_BYTES, SpoolRecord, read_record, write_record
from runtime.errors import InvalidInputError, UnavailableError
from tests.unit.ingest.made_stream import T0_NS, made_stream


def record(object_id: str = "one", kind: ObjectKind = ObjectKind.CLIP, start_ns: int = T0_NS) -> SpoolRecord:
    alerts = ("alert",) if kind is not ObjectKind.SEGMENT else ()
    return SpoolRecord(
        object_id=object_id, kind=kind, camera_id="east", start_ns=start_ns, alert_ids=alerts, codec=Codec.H264
    )


def put(spool: Spool, its: SpoolRecord, content: bytes = b"x" * 1000) -> SpoolRecord:
    file = spool.begin(its)
    file.write(content)
    return spool.finish(file, its)


def put_unfinished(spool: Spool, its: SpoolRecord, packets: int) -> None:
    info, all_packets = made_stream(3)
    file = spool.begin(its)
    writer = FragmentWriter(file, info)
    for packet in all_packets[:packets]:
        writer.write(packet)
    file.close()  # the process is killed here


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def roomy(folder: Path) -> Spool:
    spool = Spool(folder, 1 << 30, 0)
    spool.open()
    return spool


def test_a_finished_file_is_known_with_size_and_sha256(folder: Path) -> None:
    spool = roomy(folder)
    done = put(spool, record(), b"hello")
    assert spool.path(done).read_bytes() == b"hello"
    assert (done.size_bytes, done.sha256) == (5, hashlib.sha256(b"hello").hexdigest())
    assert spool.waiting() == [done]


def test_a_write_costs_the_same_however_many_files_wait(folder: Path) -> None:
    class NotWalked(dict[str, SpoolRecord]):
        def values(self) -> NoReturn:
            raise AssertionError("a write walks over all that waits")

    spool = roomy(folder)
    put(spool, record("waits"))
    file = spool.begin(record("written"))
    spool._records = NotWalked(spool._records)
    file.write(b"x" * 100)
    assert spool.size_bytes == 1100


def test_the_size_is_that_of_all_files_whatever_became_of_each(folder: Path) -> None:
    spool = roomy(folder)
    for name in ("kept", "gone", "lost"):
        put(spool, record(name), b"x" * 1000)
    open_file = spool.begin(record("open"))
    open_file.write(b"x" * 10)
    unlucky = spool.begin(record("unlucky"))
    unlucky.write(b"x" * 10)
    spool.discard(record("gone"))
    spool.lose(record("lost"), "a reason")
    spool.lose(record("unlucky"), "a reason", unlucky)
    assert spool.size_bytes == 1010
    spool.finish(open_file, record("open"))
    assert spool.size_bytes == 1010
    assert roomy(folder).size_bytes == 1010, "a restart counts the same"


def test_what_is_being_written_does_not_wait_yet(folder: Path) -> None:
    spool = roomy(folder)
    spool.begin(record())
    assert spool.waiting() == []
    assert spool.alert_ids() == {"alert"}


def test_clips_and_snapshots_wait_before_segments_and_older_before_newer(folder: Path) -> None:
    spool = roomy(folder)
    put(spool, record("segment", ObjectKind.SEGMENT, T0_NS))
    put(spool, record("new", ObjectKind.CLIP, T0_NS + 2))
    put(spool, record("old", ObjectKind.SNAPSHOT, T0_NS + 1))
    assert [waiting.object_id for waiting in spool.waiting()] == ["old", "new", "segment"]


def test_a_restart_knows_what_waited(folder: Path) -> None:
    done = put(roomy(folder), record())
    assert roomy(folder).waiting() == [done]


def test_a_discarded_file_is_gone_for_good(folder: Path) -> None:
    spool = roomy(folder)
    spool.discard(put(spool, record()))
    assert roomy(folder).waiting() == []
    assert list(folder.iterdir()) == []


def test_a_restart_salvages_the_whole_fragments_of_an_unfinished_clip(folder: Path) -> None:
    put_unfinished(roomy(folder), record(), 28)
    (salvaged,) = roomy(folder).waiting()
    path = roomy(folder).path(salvaged)
    assert salvaged.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert salvaged.size_bytes == path.stat().st_size
    assert salvaged.end_ns == T0_NS + 2_000_000_000
    assert salvaged.alert_ids == ("alert",)


def test_a_restart_reports_a_clip_of_which_nothing_was_written_as_lost(folder: Path) -> None:
    put_unfinished(roomy(folder), record(), 3)
    (lost,) = roomy(folder).waiting()
    assert lost.lost
    assert lost.alert_ids == ("alert",)


def test_an_unfinished_segment_of_which_nothing_was_written_is_forgotten(folder: Path) -> None:
    put_unfinished(roomy(folder), record(kind=ObjectKind.SEGMENT), 3)
    assert roomy(folder).waiting() == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("crash", ["before the record", "before the rename"])
def test_a_crash_while_finishing_loses_nothing(folder: Path, crash: str) -> None:
    spool = roomy(folder)
    put_unfinished(spool, record(), 28)
    part = folder / "one.part"
    if crash == "before the rename":
        digest = hashlib.sha256(part.read_bytes()).hexdigest()
        finished = msgspec.structs.replace(
            record(), sha256=digest, size_bytes=part.stat().st_size, end_ns=T0_NS + 2_800_000_000
        )
        write_record(folder / "one.json", finished)
    (salvaged,) = roomy(folder).waiting()
    assert salvaged.is_finished
    assert not part.exists()


def test_files_that_nobody_knows_are_removed_at_the_start(folder: Path) -> None:
    roomy(folder)
    for name in ("ghost.part", "ghost.mp4", ".one.json.123"):
        (folder / name).write_bytes(b"?")
    roomy(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"object_id": "../../etc", "kind": "clips", "camera_id": "east", "start_ns": 1}', b'{"a": 1}'],
)
def test_a_record_that_is_none_is_set_aside_and_the_rest_goes_on(folder: Path, content: bytes) -> None:
    done = put(roomy(folder), record())
    (folder / "bad.json").write_bytes(content)
    assert roomy(folder).waiting() == [done]
    assert (folder / "bad.bad").exists()


def test_a_record_without_end_is_not_read_into_memory(folder: Path) -> None:
    roomy(folder)
    (folder / "big.json").write_bytes(b'{"object_id": "' + b"a" * MAX_RECORD_BYTES + b'"}')
    with pytest.raises(InvalidInputError):
        read_record(folder / "big.json")


def test_a_full_spool_drops_the_oldest_segment_and_never_a_clip(folder: Path) -> None:
    spool = Spool(folder, 4500, 0)
    put(spool, record("clip", ObjectKind.CLIP, T0_NS))
    put(spool, record("s2", ObjectKind.SEGMENT, T0_NS + 2))
    put(spool, record("s1", ObjectKind.SEGMENT, T0_NS + 1))
    put(spool, record("s3", ObjectKind.SEGMENT, T0_NS + 3))
    put(spool, record("s4", ObjectKind.SEGMENT, T0_NS + 4))
    assert [waiting.object_id for waiting in spool.waiting()] == ["clip", "s2", "s3", "s4"]
    assert spool.size_bytes == 4000


def test_a_spool_full_of_clips_takes_nothing_more_and_says_what_to_do(folder: Path) -> None:
    spool = Spool(folder, 1500, 0)
    kept = put(spool, record("kept"))
    file = spool.begin(record("next"))
    with pytest.raises(SpoolFullError, match="spool_max_bytes"):
        file.write(b"x" * 1000)
    assert spool.path(kept).exists()


def test_a_nearly_full_disk_frees_room_elsewhere_before_it_refuses(folder: Path) -> None:
    asked: list[int] = []

    def reclaim() -> int:
        asked.append(1)
        return 1000 if len(asked) < 3 else 0

    spool = Spool(folder, 1 << 30, 1 << 60, reclaim)
    with pytest.raises(SpoolFullError, match="make room"):
        spool.begin(record(kind=ObjectKind.SEGMENT))
    assert len(asked) == 3


def test_clips_may_use_more_of_the_disk_than_segments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(folder, 1 << 30, 1000)
    spool.open()
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 500})())
    put(spool, record("clip"), b"x" * 100)
    with pytest.raises(SpoolFullError):
        spool.begin(record("segment", ObjectKind.SEGMENT))


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="cannot be written"):
        Spool(tmp_path / "file" / "spool", 1 << 30, 0).check()


def test_listeners_hear_of_what_is_finished_or_lost(folder: Path) -> None:
    heard: list[int] = []
    spool = roomy(folder)
    spool.listen(lambda: heard.append(1))
    put(spool, record())
    spool.lose(record("two"), "because")
    assert len(heard) == 2


def test_a_lost_clip_is_remembered_over_a_restart(folder: Path) -> None:
    roomy(folder).lose(record(), "because")
    (lost,) = roomy(folder).waiting()
    assert lost.lost == "because"


def test_losing_a_clip_works_without_a_disk(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    spool = Spool(tmp_path / "file" / "spool", 1 << 30, 0)
    spool.lose(record(), "because")
    assert [lost.lost for lost in spool.waiting()] == ["because"]


CUTS: list[Callable[[bytes], bytes]] = [
    lambda c: c[:-1],
    lambda c: c[: len(c) // 2],
    lambda c: b"",
    lambda c: b"\0" * 9,
]


@pytest.mark.parametrize("cut", CUTS)
def test_a_finished_clip_that_the_disk_damaged_is_mended_or_lost_but_never_wrong(
    folder: Path, cut: Callable[[bytes], bytes]
) -> None:
    info, packets = made_stream(3)
    spool = roomy(folder)
    file = spool.begin(record())
    writer = FragmentWriter(file, info)
    for packet in packets:
        writer.write(packet)
    writer.close()
    done = spool.finish(file, record())
    spool.path(done).write_bytes(cut(spool.path(done).read_bytes()))
    (found,) = roomy(folder).waiting()
    assert found.lost or found.sha256 == hashlib.sha256(spool.path(found).read_bytes()).hexdigest()
