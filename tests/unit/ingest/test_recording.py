"""Clips and segments from a ring into the spool, on a fake clock."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from devices.model import RecordingMode
from ingest.object_key import ObjectKind
from ingest.packet import Packet, StreamInfo
from ingest.recorder import Recorder
from ingest.ring import PacketRing
from ingest.salvage import duration_ns
from ingest.settings import CameraSettings
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.clock import NS_PER_S, FakeClock
from runtime.health import Health
from tests.registry_records import camera
from tests.unit.ingest.made_stream import STEP_NS, T0_NS, endless, filled_ring, made_stream

SETTINGS = CameraSettings(pre_roll_s=2, post_roll_s=2, clip_max_s=10, segment_s=3)
ROOM = 1 << 30


def at(second: float) -> int:
    return T0_NS + round(second * NS_PER_S)


@dataclass
class Studio:
    """A recorder whose camera sends what the test lets it send."""

    recorder: Recorder
    spool: Spool
    ring: PacketRing
    clock: FakeClock
    health: Health
    supply: list[Packet]

    def play_until(self, second: float) -> None:
        """The camera sends up to `second`, a tick after each packet."""
        while self.supply and self.supply[0].stamp.t_ns < at(second):
            self.ring.append(self.supply.pop(0))
            self.clock.advance(STEP_NS / NS_PER_S)
            self.recorder.tick()

    def silence(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.5)):
            self.clock.advance(0.5)
            self.recorder.tick()

    def files(self, kind: ObjectKind = ObjectKind.CLIP) -> list[SpoolRecord]:
        return [record for record in self.spool.waiting() if record.kind is kind]

    def play_length_s(self, record: SpoolRecord) -> float:
        return duration_ns(self.spool.path(record)) / NS_PER_S


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return make_studio(tmp_path)


def make_studio(tmp_path: Path, recording: RecordingMode = RecordingMode.EVENTS, spool: Spool | None = None) -> Studio:
    clock, health = FakeClock(T0_NS), Health()
    spool = spool or Spool(tmp_path / "spool", ROOM, 0)
    recorder = Recorder(spool, SETTINGS, clock, health)
    info, _ = made_stream(3)
    ring = PacketRing(12, 1 << 24)
    ring.begin_session(info)
    recorder.add_camera(camera("east", recording=recording), ring)
    return Studio(recorder, spool, ring, clock, health, endless(90))


def test_a_clip_reaches_from_the_key_frame_before_the_pre_roll_to_the_end_of_the_post_roll(studio: Studio) -> None:
    studio.play_until(8)
    clip_id = studio.recorder.start_clip("alert", "east", at(6.5))
    studio.play_until(9)
    studio.recorder.end_clip(clip_id, at(8.5))
    studio.play_until(12)
    (clip,) = studio.files()
    assert (clip.object_id, clip.alert_ids) == (clip_id, ("alert",))
    assert clip.start_ns == at(4)
    assert clip.end_ns == pytest.approx(at(10.5), abs=STEP_NS)
    assert studio.play_length_s(clip) == pytest.approx(6.5, abs=0.1)
    assert clip.key == f"clips/east/2026/01/01/{clip_id}.mp4"


def test_the_first_frame_of_a_clip_is_a_key_frame(studio: Studio) -> None:
    studio.play_until(5.5)
    studio.recorder.end_clip(studio.recorder.start_clip("alert", "east", at(5)), at(5))
    studio.play_until(9)
    (clip,) = studio.files()
    with av.open(str(studio.spool.path(clip))) as container:
        assert next(container.demux(video=0)).is_keyframe


def test_an_event_that_never_ends_is_cut_off_at_the_longest_clip(studio: Studio) -> None:
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(30)
    (clip,) = studio.files()
    assert studio.play_length_s(clip) == pytest.approx(10, abs=0.15)


def test_an_overlapping_event_shares_the_clip_and_extends_it(studio: Studio) -> None:
    studio.play_until(5)
    first = studio.recorder.start_clip("one", "east", at(4))
    studio.recorder.end_clip(first, at(4.5))
    studio.play_until(6)
    second = studio.recorder.start_clip("two", "east", at(6))
    studio.play_until(7)
    studio.recorder.end_clip(second, at(7))
    studio.play_until(12)
    (clip,) = studio.files()
    assert first == second == clip.object_id
    assert clip.alert_ids == ("one", "two")
    assert clip.end_ns == pytest.approx(at(9), abs=STEP_NS)


def test_an_event_too_late_for_the_open_clip_gets_its_own(studio: Studio) -> None:
    studio.play_until(5)
    first = studio.recorder.start_clip("one", "east", at(4))
    studio.play_until(11)
    second = studio.recorder.start_clip("two", "east", at(11))
    studio.recorder.end_clip(second, at(11))
    studio.play_until(20)
    clips = {clip.object_id: clip for clip in studio.files()}
    assert set(clips) == {first, second}
    assert clips[second].start_ns == at(9)
    assert clips[second].end_ns == pytest.approx(at(13), abs=STEP_NS)


def test_a_clip_ends_with_the_session(studio: Studio) -> None:
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(6)
    studio.ring.begin_session(made_stream(3)[0])
    studio.play_until(8)
    (clip,) = studio.files()
    assert clip.end_ns == pytest.approx(at(6), abs=STEP_NS)


def test_the_pre_roll_never_reaches_into_an_earlier_session(studio: Studio) -> None:
    studio.play_until(5)
    studio.ring.begin_session(made_stream(3)[0])
    studio.play_until(6.5)
    studio.recorder.end_clip(studio.recorder.start_clip("alert", "east", at(6.2)), at(6.2))
    studio.play_until(10)
    (clip,) = studio.files()
    assert clip.start_ns == at(5)
    assert studio.play_length_s(clip) == pytest.approx(3.2, abs=0.15)


def test_a_clip_of_a_camera_that_falls_silent_keeps_what_came(studio: Studio) -> None:
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(6)
    studio.silence(12)
    (clip,) = studio.files()
    assert clip.is_finished
    assert studio.play_length_s(clip) == pytest.approx(4, abs=0.15)


def test_a_clip_of_a_camera_that_sent_nothing_is_lost_and_says_so(studio: Studio) -> None:
    studio.recorder.start_clip("alert", "east", at(0))
    studio.silence(12)
    (clip,) = studio.files()
    assert "no picture" in clip.lost
    assert clip.alert_ids == ("alert",)


def test_a_clip_of_an_unknown_camera_is_lost_and_says_so(studio: Studio) -> None:
    clip_id = studio.recorder.start_clip("alert", "nowhere", at(0))
    studio.recorder.tick()
    (clip,) = studio.files()
    assert (clip.object_id, clip.alert_ids) == (clip_id, ("alert",))
    assert "not being recorded" in clip.lost


def test_removing_a_camera_finishes_its_clip(studio: Studio) -> None:
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(6)
    studio.recorder.remove_camera("east")
    studio.recorder.tick()
    (clip,) = studio.files()
    assert studio.play_length_s(clip) == pytest.approx(4, abs=0.15)


def test_every_clip_of_a_camera_that_is_removed_says_that_the_disk_refused_it(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"a file in the way")
    studio = make_studio(tmp_path)
    studio.play_until(20)
    studio.recorder.start_clip("one", "east", at(4))
    studio.recorder.start_clip("two", "east", at(19))
    studio.recorder.remove_camera("east")
    studio.recorder.tick()
    assert ["cannot be written" in clip.lost for clip in studio.files()] == [True, True]


def test_segments_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    studio = make_studio(tmp_path, RecordingMode.CONTINUOUS)
    studio.play_until(10)
    studio.recorder.finish()
    segments = studio.files(ObjectKind.SEGMENT)
    assert [segment.start_ns for segment in segments] == [at(0), at(3), at(6), at(9)]
    assert all(after.start_ns == pytest.approx(before.end_ns, abs=2) for before, after in itertools.pairwise(segments))
    frames = 0
    for segment in segments:
        with av.open(str(studio.spool.path(segment))) as container:
            frames += sum(1 for _ in container.decode(video=0))
    assert frames == 100


def test_a_new_session_begins_a_new_segment(tmp_path: Path) -> None:
    studio = make_studio(tmp_path, RecordingMode.CONTINUOUS)
    studio.play_until(2)
    studio.ring.begin_session(made_stream(3)[0])
    studio.play_until(4)
    studio.recorder.finish()
    assert [segment.start_ns for segment in studio.files(ObjectKind.SEGMENT)] == [at(0), at(2)]


def test_a_continuous_camera_has_event_clips_as_well(tmp_path: Path) -> None:
    studio = make_studio(tmp_path, RecordingMode.CONTINUOUS)
    studio.play_until(5)
    studio.recorder.end_clip(studio.recorder.start_clip("alert", "east", at(4)), at(4))
    studio.play_until(8)
    assert len(studio.files()) == 1


def test_a_spool_that_cannot_be_written_loses_clips_in_words_and_recovers(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"a file in the way")
    studio = make_studio(tmp_path, RecordingMode.CONTINUOUS)
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(6)
    assert "cannot be written" in studio.health.parts()["spool"].reason
    (clip,) = studio.files()
    assert "cannot be written" in clip.lost
    (tmp_path / "spool").unlink()
    studio.silence(11)
    studio.play_until(9)
    assert studio.health.parts()["spool"].well
    studio.recorder.finish()
    assert len(studio.files(ObjectKind.SEGMENT)) >= 1


def test_a_camera_whose_stream_cannot_be_muxed_does_not_stop_the_others(studio: Studio) -> None:
    _, packets = made_stream(3)
    broken = PacketRing(12, 1 << 24)
    broken.begin_session(StreamInfo(made_stream(3)[0].codec, 96, 64, b""))
    broken.append(Packet(packets[0].stamp, 0, True, b"\x00\x00\x00\x01\x65garbage"))
    studio.recorder.add_camera(camera("west", recording=RecordingMode.CONTINUOUS), broken)
    studio.play_until(5)
    studio.recorder.start_clip("bad", "west", at(0))
    good = studio.recorder.start_clip("good", "east", at(4))
    studio.recorder.end_clip(good, at(4))
    studio.play_until(8)
    clips = {clip.camera_id: clip for clip in studio.files()}
    assert "parameter sets" in clips["west"].lost
    assert clips["east"].is_finished


def test_a_fault_in_one_camera_is_survived_by_all(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = filled_ring()

    def explode(*_: object) -> None:
        raise RuntimeError("boom")

    studio.recorder.add_camera(camera("west", recording=RecordingMode.CONTINUOUS), ring)
    monkeypatch.setattr(ring, "read", explode)
    studio.play_until(5)
    studio.recorder.end_clip(studio.recorder.start_clip("good", "east", at(4)), at(4))
    studio.play_until(8)
    assert [clip.camera_id for clip in studio.files()] == ["east"]


def test_an_alert_that_joins_a_clip_as_its_recording_fails_has_the_clip(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.play_until(5)
    studio.recorder.start_clip("one", "east", at(4))
    studio.play_until(6)

    def join_and_fail(*_: object) -> None:
        studio.recorder.start_clip("two", "east", at(5))
        raise RuntimeError("boom")

    monkeypatch.setattr(studio.ring, "read", join_and_fail)
    studio.play_until(6.1)
    (clip,) = studio.files()
    assert clip.is_finished
    assert clip.alert_ids == ("one", "two")


def test_a_disk_that_fills_up_in_the_middle_keeps_the_beginning_of_the_clip(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", ROOM, 0)
    studio = make_studio(tmp_path, spool=spool)
    studio.play_until(5)
    studio.recorder.start_clip("alert", "east", at(4))
    studio.play_until(8)
    refuse = _refusing(OSError(28, "No space left on device"))
    spool._grow = refuse  # type: ignore[assignment,method-assign] # the disk, at the place where it is asked
    studio.play_until(11)
    (clip,) = studio.files()
    assert clip.is_finished
    assert 3 <= studio.play_length_s(clip) < 8
    with av.open(str(spool.path(clip))) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 30


def _refusing(error: Exception) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


def test_the_thread_ends_in_time_and_finalises_open_clips(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", ROOM, 0)
    recorder = Recorder(spool, SETTINGS, FakeClock(T0_NS))
    recorder.add_camera(camera("east"), filled_ring())
    recorder.start()
    recorder.start_clip("alert", "east", at(5))
    recorder.stop()
    (clip,) = spool.waiting()
    assert clip.is_finished
