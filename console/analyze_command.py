"""`sharpeyes analyze SOURCE`: the worker's own pipeline over a recording or a camera, one JSON object a line out.

Runs in the main thread and blocks until the source ends, `--seconds` are over or Ctrl-C is pressed; raises
SharpEyesError for whatever a person can mend.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.camera_pipeline import CameraPipeline
from analytics.events import Event
from analytics.source_analysis import CAMERA_ID, DETECT_FPS, Analysed, SourceAnalysis
from console.analysis_lines import event_line, frame_line, summary_line
from console.settings import Settings
from devices.login import split_login
from devices.model import Transport
from devices.scene import Scene
from devices.scene_file import load_scene_file
from ingest.camera_errors import CameraError
from ingest.libav_source import LibavSource
from ingest.ring import PacketRing
from ingest.session import StreamSource
from ingest.wall_time import FileTime, WallTime
from models.catalogue import load_catalogue
from models.detector import Detector, load_detector
from runtime.clock import SystemClock, to_ns
from runtime.errors import ConfigurationError, UnavailableError
from runtime.language import say

REDRAW_S = 0.2

INTERRUPTED = 130
"""The exit code of what Ctrl-C broke off; a camera has no end of its own, so there it is the usual one."""


class _Output:
    """Where lines go: a file or standard output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror
            raise UnavailableError(say(zh=f"--out:写入失败:{reason}", en=f"--out: cannot write on: {reason}")) from None


class _Run:
    """One analysis from its first item to its summary."""

    def __init__(self, analysis: SourceAnalysis, detector: Detector, output: _Output, limit_s: float | None) -> None:
        self._analysis = analysis
        self._class_names = detector.class_names
        self._output = output
        self._limit_s = limit_s
        self._events = 0
        self.is_stopped = False

    def stop(self, *_: object) -> None:
        """Ask it to end with what it has: Ctrl-C."""
        self.is_stopped = True

    def run(self, source: LibavSource, bar: "_Bar") -> None:
        """Write all lines, the summary last, also when the source breaks off: its CameraError is raised after that."""
        started_s = time.monotonic()
        failure: CameraError | None = None
        try:
            self._follow(source, bar)
        except CameraError as error:
            failure = error
        self._tell_events(self._analysis.finish())
        seconds = time.monotonic() - started_s
        is_complete = failure is None and not self.is_stopped
        self._output.write(summary_line(self._analysis.progress, self._events, seconds, complete=is_complete))
        if failure is not None:
            raise failure

    def _follow(self, source: LibavSource, bar: "_Bar") -> None:
        for analysed in self._analysis.results(source.items()):
            if analysed is not None:
                self._tell(analysed)
            elif self._is_over():
                return
            bar.show(self._analysis.progress.size_bytes, self._analysis.progress.packets)

    def _is_over(self) -> bool:
        return self.is_stopped or (self._limit_s is not None and self._analysis.progress.t_s >= self._limit_s)

    def _tell(self, analysed: Analysed) -> None:
        if analysed.result.is_detected:
            self._output.write(frame_line(analysed, self._class_names))
        self._tell_events(analysed.result.events)

    def _tell_events(self, events: list[Event]) -> None:
        for event in events:
            end_s = None if event.end_ns is None else self._analysis.seconds(event.end_ns)
            self._events += end_s is None
            self._output.write(event_line(event, self._analysis.seconds(event.start_ns), end_s))


class _Bar:
    """Progress on standard error, when that is a terminal: by bytes of a file, by pictures of a camera."""

    def __init__(self, progress: Progress, total_bytes: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total_bytes, pictures=0)
        self._drawn_s = 0.0

    def show(self, done_bytes: int, pictures: int) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s > REDRAW_S:
            self._drawn_s = now_s
            self._progress.update(self._task, completed=done_bytes, pictures=pictures)


def analyze(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help=say(zh="视频文件或 rtsp:// 地址", en="A video file or an rtsp:// URL"))],
    zones: Annotated[
        Path | None, typer.Option(help=say(zh="区域、线和规则 (YAML)", en="Zones, lines and rules (YAML)"))
    ] = None,
    every_frame: Annotated[
        bool,
        typer.Option(
            "--every-frame",
            help=say(zh="不用运动门:每一帧都解码、检测、跟踪", en="No gate: decode, detect and track each frame"),
        ),
    ] = False,
    fps: Annotated[
        float | None,
        typer.Option(min=0.1, max=120, help=say(zh="每秒检测的帧数(默认 5)", en="Detections a second; 5 unless given")),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help=say(zh="模型目录中的名称", en="Name of a detector in the catalogue"))
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=say(zh="写入文件,默认标准输出", en="File for the lines; otherwise standard output")),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help=say(
                zh="列出不低于此分数的检测;不影响跟踪", en="List detections from this score on; tracking stays as it is"
            ),
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help=say(zh="只分析开头这么多秒", en="Stop after so many seconds of video"))
    ] = None,
    starts_at: Annotated[
        datetime | None,
        typer.Option(
            help=say(
                zh="录像开始的时刻(本地时间),用于规则的时间表;默认现在",
                en="When a recording began (local time), for schedules; otherwise now",
            )
        ),
    ] = None,
    transport: Annotated[Transport, typer.Option(help=say(zh="RTSP 传输方式", en="Transport of RTSP"))] = Transport.TCP,
) -> None:
    settings: Settings = context.obj.values
    scene = load_scene_file(zones) if zones else Scene()
    stream = _stream_source(source, transport)
    detector = load_detector(settings, load_catalogue(settings.model_catalogue), model)
    pipeline = CameraPipeline(CAMERA_ID, scene, detector, fps or DETECT_FPS, min_score=min_score)
    is_file = "://" not in stream.url
    analysis = SourceAnalysis(
        pipeline,
        PacketRing(settings.ring_s, settings.ring_bytes),
        FileTime(_start_ns(starts_at)) if is_file else WallTime(SystemClock()),
        every_frame=every_frame,
        detect_fps=fps,
    )
    with ExitStack() as held:
        opened = held.enter_context(
            LibavSource(stream, open_timeout_s=settings.session_timeout_s, silence_s=settings.session_timeout_s)
        )
        run = _Run(analysis, detector, held.enter_context(_opened_output(out)), seconds)
        bar = held.enter_context(_opened_bar(Path(stream.url) if is_file else None))
        held.enter_context(_on_interrupt(run.stop))
        run.run(opened, bar)
    if is_file and run.is_stopped:
        raise typer.Exit(INTERRUPTED)


def _stream_source(source: str, transport: Transport) -> StreamSource:
    if "://" not in source:
        return StreamSource(source)
    url, credentials = split_login(source, "SOURCE")
    return StreamSource(url, credentials, transport)


def _start_ns(starts_at: datetime | None) -> int:
    return SystemClock().now_ns() if starts_at is None else to_ns(starts_at.astimezone())


@contextmanager
def _opened_output(path: Path | None) -> Iterator[_Output]:
    if path is None:
        yield _Output(sys.stdout)
        return
    try:
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"--out:无法写入 {path}:{error.strerror}",
                en=f"--out: cannot write {path}: {error.strerror}",
            )
        ) from None
    with stream:
        yield _Output(stream)


@contextmanager
def _opened_bar(file: Path | None) -> Iterator[_Bar]:
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[pictures]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield _Bar(progress, file.stat().st_size if file else None)


@contextmanager
def _on_interrupt(stop: Any) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


analyze.__doc__ = say(
    zh="用同一条处理流水线分析录像或摄像头,每行输出一个 JSON 对象。\n\n"
    "例:sharpeyes analyze street.mp4 --zones zones.yaml --out found.jsonl",
    en="Run the worker's pipeline over a recording or a camera; one JSON object a line.\n\n"
    "Example: sharpeyes analyze street.mp4 --zones zones.yaml --out found.jsonl",
)
