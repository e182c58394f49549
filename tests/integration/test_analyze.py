"""`sharpeyes analyze` as people run it: real footage of pedestrians, many kinds of files, a camera, and no video."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli import main
from runtime import language
from tests.servers.cache import find_program, footage_folder
from tests.servers.footage import find_source
from tests.servers.rtsp import RtspServer
from tests.waiting import wait_until

Line = dict[str, Any]

SCENE = """
zones:
  - name: crossing
    polygon: [[0.3, 0.4], [0.7, 0.4], [0.7, 0.9], [0.3, 0.9]]
lines:
  - {name: middle, start: [0.5, 0.0], end: [0.5, 1.0]}
rules:
  - {name: in zone, kind: zone_entered, area: crossing, classes: [person], cooldown_s: 0}
  - {name: over line, kind: line_crossed, area: middle, classes: [person], cooldown_s: 0}
  - {name: waits, kind: loitering, area: crossing, classes: [person], dwell_s: 3, cooldown_s: 0}
"""

LONG_S = 12
"""Seconds of vtest.avi (10 pictures a second) in which pedestrians cross the line both ways."""


@dataclass(frozen=True)
class Ended:
    code: int
    lines: list[Line]
    errors: str

    def of(self, kind: str) -> list[Line]:
        return [line for line in self.lines if line["kind"] == kind]

    @property
    def summary(self) -> Line:
        return self.lines[-1]


def analyze(*arguments: str | Path) -> Ended:
    """Run the command in this process: starting another takes longer than most of these analyses."""
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["sharpeyes", "analyze", *map(str, arguments)])
        patch.setattr(language, "LANGUAGE", "en")
        for name in settings_in_environment():
            patch.delenv(name)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return Ended(code if isinstance(code, int) else 0, lines, errors.getvalue())


def settings_in_environment() -> list[str]:
    """What the machine that runs the tests has set, such as where the footage is."""
    return [name for name in os.environ if name.startswith("SHARPEYES_")]


@pytest.fixture(scope="session")
def vtest() -> Path:
    return find_source(footage_folder().parent)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "zones.yaml"
    path.write_text(SCENE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def every_frame(vtest: Path, zones: Path) -> Ended:
    return analyze(vtest, "--zones", zones, "--every-frame", "--seconds", str(LONG_S), "--min-score", "0.1")


@pytest.fixture(scope="module")
def gated(vtest: Path, zones: Path) -> Ended:
    return analyze(vtest, "--zones", zones, "--fps", "10", "--seconds", str(LONG_S))


def encoded(vtest: Path, target: Path, *coder: str) -> Path:
    """Two seconds of the footage in another form."""
    command = [find_program("ffmpeg"), "-v", "error", "-y", "-t", "2", "-i", str(vtest), "-an", *coder, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_each_frame_of_a_file_is_one_line_with_its_index_and_time(every_frame: Ended) -> None:
    frames = every_frame.of("frame")
    assert every_frame.code == 0
    assert [line["frame"] for line in frames] == list(range(len(frames)))
    assert [line["t_s"] for line in frames] == [pytest.approx(i / 10, abs=0.002) for i in range(len(frames))]
    assert len(frames) == every_frame.summary["frames"] == every_frame.summary["detected"]


def test_the_summary_is_last_and_tells_what_was_done(every_frame: Ended) -> None:
    summary = every_frame.summary
    assert summary["kind"] == "summary"
    assert summary["decoded"] == summary["frames"]
    assert summary["events"] == len(every_frame.of("event"))
    assert summary["seconds"] > 0
    assert summary["complete"]


def test_boxes_are_fractions_and_classes_are_names(every_frame: Ended) -> None:
    boxes = [found for line in every_frame.of("frame") for found in line["detections"] + line["tracks"]]
    assert {found["class"] for found in boxes} >= {"person"}
    for found in boxes:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 <= x2 <= 1
        assert 0 <= y1 <= y2 <= 1


def test_detections_are_listed_down_to_the_score_asked_for(every_frame: Ended, gated: Ended) -> None:
    low = [found["score"] for line in every_frame.of("frame") for found in line["detections"]]
    usual = [found["score"] for line in gated.of("frame") for found in line["detections"]]
    assert 0.1 <= min(low) < 0.2
    assert min(usual) > 0.4


def test_pedestrians_cross_the_line_both_ways_and_enter_the_zone(every_frame: Ended) -> None:
    events = every_frame.of("event")
    crossings = [line for line in events if line["rule"] == "line_crossed"]
    assert {line["direction"] for line in crossings} == {"a_to_b", "b_to_a"}
    assert {line["name"] for line in events} == {"in zone", "over line", "waits"}
    assert all(line["dwell_s"] >= 3 for line in events if line["rule"] == "loitering")


def test_every_event_has_its_end(every_frame: Ended) -> None:
    begins = sorted((line["name"], line["track"], line["t_s"]) for line in every_frame.of("event"))
    ends = sorted((line["name"], line["track"], line["start_s"]) for line in every_frame.of("event_end"))
    assert begins == ends


def test_the_gate_and_the_least_score_listed_do_not_change_events(every_frame: Ended, gated: Ended) -> None:
    def told(run: Ended) -> list[tuple[object, ...]]:
        return [(line["name"], line["track"], line["t_s"], line.get("direction")) for line in run.of("event")]

    assert told(gated) == told(every_frame)


def test_an_ordinary_run_detects_at_five_frames_a_second(vtest: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    run = analyze(vtest, "--seconds", "4", "--out", out)
    assert (run.code, run.lines) == (0, [])
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert 20 <= lines[-1]["detected"] <= 22
    assert lines[-1]["frames"] > lines[-1]["detected"]


def test_nothing_moves_and_only_key_frames_are_decoded(vtest: Path, tmp_path: Path) -> None:
    still = encoded(
        vtest, tmp_path / "still.mp4", "-vf", "trim=end_frame=1,loop=600:1,setpts=N/25/TB,noise=alls=4:allf=t",
        "-r", "25", "-c:v", "libx264", "-preset", "ultrafast", "-g", "50",
    )  # fmt: skip
    run = analyze(still)
    assert run.summary["frames"] == 601
    assert run.summary["decoded"] < 200


@pytest.mark.parametrize(
    ("name", "coder"),
    [
        ("bframes.mp4", ("-c:v", "libx264", "-preset", "fast", "-bf", "3")),
        ("h265.mkv", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")),
        ("recorder.mpg", ("-c:v", "mpeg2video", "-r", "25")),
        ("phone.webm", ("-c:v", "libvpx", "-b:v", "1M")),
        ("bare.h264", ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-r", "25")),
        ("yuv444.mp4", ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")),
    ],
)
def test_other_files_are_read_frame_by_frame_in_order(
    vtest: Path, tmp_path: Path, name: str, coder: tuple[str, ...]
) -> None:
    run = analyze(encoded(vtest, tmp_path / name, *coder), "--every-frame")
    assert run.code == 0, run.errors
    frames = run.of("frame")
    assert [line["frame"] for line in frames] == list(range(len(frames)))
    assert len(frames) == run.summary["frames"]
    assert frames[-1]["t_s"] == pytest.approx(2.0, abs=0.15)
    assert any(found["class"] == "person" for found in frames[-1]["detections"])


def test_a_camera_is_analysed_for_the_seconds_asked_for(rtsp_server: RtspServer, zones: Path) -> None:
    run = analyze(rtsp_server.url("street-sub", login="digest"), "--zones", zones, "--seconds", "3")
    assert run.code == 0, run.errors
    assert 3.0 <= run.summary["video_s"] < 4.5
    assert run.of("frame")
    assert rtsp_server.password not in run.errors


def test_ctrl_c_ends_a_camera_s_analysis_with_its_summary(rtsp_server: RtspServer, tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    arguments = ["analyze", rtsp_server.url("large"), "--every-frame", "--out", str(out)]
    environment = {name: value for name, value in os.environ.items() if name not in settings_in_environment()}
    command = [sys.executable, "-c", "from console.cli import main; main()", *arguments]
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: out.exists() and out.stat().st_size > 0, 30, "first lines")
        running.send_signal(signal.SIGINT)
        assert running.wait(10) == 0
    finally:
        running.kill()
        running.communicate()
    summary = json.loads(out.read_text(encoding="utf-8").splitlines()[-1])
    assert (summary["kind"], summary["complete"]) == ("summary", False)


def test_a_camera_that_ends_is_an_error_after_the_summary(rtsp_server: RtspServer) -> None:
    run = analyze(rtsp_server.url("ends"))
    assert run.code == 2
    assert run.summary["kind"] == "summary"
    assert not run.summary["complete"]
    assert "closed the connection" in run.errors


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (b"", "no video that can be read"),
        (b"hello " * 1000, "no video that can be read"),
        (b"\x00" * 4096, "no video that can be read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "file.mp4"
    if content is not None:
        path.write_bytes(content)
    run = analyze(path)
    assert (run.code, run.lines) == (2, [])
    assert says in run.errors
    assert "Traceback" not in run.errors


def test_a_file_whose_pictures_are_all_damaged_is_refused(vtest: Path, tmp_path: Path) -> None:
    damaged = bytearray(encoded(vtest, tmp_path / "good.avi", "-c:v", "mjpeg").read_bytes())
    chunk = damaged.index(b"movi") + 4
    while damaged[chunk : chunk + 4] == b"00dc":
        size = int.from_bytes(damaged[chunk + 4 : chunk + 8], "little")
        damaged[chunk + 8 : chunk + 8 + size] = b"\x55" * size
        chunk += 8 + size + size % 2
    path = tmp_path / "damaged.avi"
    path.write_bytes(damaged)
    run = analyze(path)
    assert run.code == 2
    assert "not one picture could be decoded" in run.errors


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [", "line 1"),
        ("zones: 7", "zones"),
        ("zones:\n  - {name: z, polygon: [[0, 0], [2, 0], [1, 1]]}", "polygon[1]"),
        ("rules:\n  - {name: r, kind: zone_entered, area: nowhere, classes: [person]}", "nowhere"),
    ],
)
def test_a_scene_with_a_mistake_is_refused_with_its_place(vtest: Path, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    run = analyze(vtest, "--zones", path)
    assert (run.code, run.lines) == (2, [])
    assert "bad.yaml" in run.errors
    assert says in run.errors


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "no-such-model"), "no-such-model"),
        (("--zones", "/nowhere/zones.yaml"), "/nowhere/zones.yaml"),
        (("--out", "/nowhere/found.jsonl"), "/nowhere/found.jsonl"),
        (("--fps", "0"), "--fps"),
        (("--min-score", "2"), "--min-score"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(vtest: Path, arguments: tuple[str, ...], says: str) -> None:
    run = analyze(vtest, *arguments)
    assert run.code == 2
    assert says in run.errors
    assert "Traceback" not in run.errors
