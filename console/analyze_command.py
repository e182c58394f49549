"""`sharpeyes analyze SOURCE`: the worker's own pipeline over a recording or a camera, one JSON object a line out.

Runs in the main thread and blocks until the source ends, `--seconds` are over or Ctrl-C is pressed; raises
SharpEyesError for whatever a person can mend.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import typer

from analytics.camera_pipeline import CameraPipeline
from analytics.source_analysis import CAMERA_ID, DETECT_FPS, SourceAnalysis
from console import analysis_options as options
from console.analysis_run import AnalysisRun, opened_bar, opened_output
from console.settings import Settings
from devices.login import split_login
from devices.model import Transport
from devices.scene import Scene
from devices.scene_file import load_scene_file
from ingest.camera_errors import CameraError, ProblemCode
from ingest.libav_source import LibavSource
from ingest.ring import PacketRing
from ingest.session import StreamSource
from ingest.wall_time import FileTime, WallTime
from models.catalogue import load_catalogue
from models.detector import load_detector
from runtime.clock import SystemClock, to_ns
from runtime.errors import InvalidInputError
from runtime.language import say

INTERRUPTED = 130
"""The exit code of what Ctrl-C broke off; a camera has no end of its own, so there it is the usual one."""


def analyze(
    context: typer.Context,
    source: options.Source,
    zones: options.Zones = None,
    every_frame: options.EveryFrame = False,
    fps: options.DetectFps = None,
    model: options.Model = None,
    out: options.Out = None,
    min_score: options.MinScore = None,
    seconds: options.Seconds = None,
    starts_at: options.StartsAt = None,
    transport: options.RtspTransport = Transport.TCP,
) -> None:
    settings: Settings = context.obj.values
    scene = load_scene_file(zones) if zones else Scene()
    stream = _stream_source(source, transport)
    file = None if "://" in stream.url else Path(stream.url)
    detector = load_detector(settings, load_catalogue(settings.model_catalogue), model)
    analysis = SourceAnalysis(
        CameraPipeline(CAMERA_ID, scene, detector, fps or DETECT_FPS, min_score=min_score),
        PacketRing(settings.ring_s, settings.ring_bytes),
        FileTime(_start_ns(starts_at)) if file else WallTime(SystemClock()),
        every_frame=every_frame,
        detect_fps=fps,
    )
    with ExitStack() as held:
        opened = held.enter_context(_opened_source(stream, settings.session_timeout_s))
        run = AnalysisRun(analysis, detector.class_names, held.enter_context(opened_output(out)), seconds)
        bar = held.enter_context(opened_bar(file))
        held.enter_context(_on_interrupt(run.stop))
        run.run(opened, bar)
    if file and run.is_stopped:
        raise typer.Exit(INTERRUPTED)


def _stream_source(source: str, transport: Transport) -> StreamSource:
    if "://" not in source:
        return StreamSource(source)
    url, credentials = split_login(source, "SOURCE")
    return StreamSource(url, credentials, transport)


@contextmanager
def _opened_source(stream: StreamSource, timeout_s: float) -> Iterator[LibavSource]:
    with ExitStack() as held:
        try:
            opened = held.enter_context(LibavSource(stream, open_timeout_s=timeout_s, silence_s=timeout_s))
        except CameraError as error:
            if "://" in stream.url:
                raise
            raise InvalidInputError(f"{stream.url}: {_about_file(error)}") from None
        yield opened


def _about_file(error: CameraError) -> str:
    """What a camera's problem means for a file."""
    if error.problem.code is ProblemCode.NOT_VIDEO:
        return say(
            zh="不是可以识别的视频，或者文件不完整",
            en="is no video that can be read; it may be incomplete, or something else",
        )
    if error.problem.code is ProblemCode.CODEC_UNSUPPORTED:
        codec = error.problem.detail
        return say(
            zh=f"不支持它的视频编码（{codec}）；可以先转换：ffmpeg -i 原文件 -c:v libx264 新文件.mp4",
            en=f"its video codec ({codec}) is not supported; convert it: ffmpeg -i THIS -c:v libx264 NEW.mp4",
        )
    return str(error)


def _start_ns(starts_at: datetime | None) -> int:
    return SystemClock().now_ns() if starts_at is None else to_ns(starts_at.astimezone())


@contextmanager
def _on_interrupt(stop: Callable[..., None]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


analyze.__doc__ = say(
    zh="用同一条处理流水线分析录像或摄像头，每行输出一个 JSON 对象。\n\n"
    "例：sharpeyes analyze street.mp4 --zones zones.yaml --out found.jsonl",
    en="Run the worker's pipeline over a recording or a camera; one JSON object a line.\n\n"
    "Example: sharpeyes analyze street.mp4 --zones zones.yaml --out found.jsonl",
)
