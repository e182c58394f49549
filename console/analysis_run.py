"""One run of `sharpeyes analyze`: results become lines, a bar shows how far it is, the summary comes last.

Runs in the main thread; blocks on the source and on the output. Raises the source's CameraError after the summary, and
UnavailableError when the output takes no more.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from analytics.events import Event
from analytics.source_analysis import Analysed, SourceAnalysis
from console.analysis_lines import Line, event_line, frame_line, summary_line
from ingest.camera_errors import CameraError
from ingest.libav_source import LibavSource
from runtime.errors import ConfigurationError, UnavailableError
from runtime.language import say

REDRAW_S = 0.2


class Output:
    """Where lines go: a file or standard output."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: Line) -> None:
        """Write one object as one line."""
        try:
            self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = error.strerror
            raise UnavailableError(
                say(zh=f"--out：写入失败：{reason}", en=f"--out: cannot write on: {reason}")
            ) from None


class Bar:
    """Progress on standard error, when that is a terminal: by bytes of a file, by pictures of a camera."""

    def __init__(self, progress: Progress, total_bytes: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total_bytes, pictures=0)
        self._drawn_s = 0.0

    def show(self, done_bytes: int, pictures: int) -> None:
        """Redraw now and then."""
        now_s = time.monotonic()
        if now_s - self._drawn_s > REDRAW_S:
            self._drawn_s = now_s
            self._progress.update(self._task, completed=done_bytes, pictures=pictures)


class AnalysisRun:
    """From the first item to the summary; `limit_s` seconds of video at most."""

    def __init__(
        self, analysis: SourceAnalysis, class_names: Sequence[str], output: Output, limit_s: float | None
    ) -> None:
        self.is_stopped = False
        self._analysis = analysis
        self._class_names = class_names
        self._output = output
        self._limit_s = limit_s
        self._events = 0

    def stop(self, *_: object) -> None:
        """Ask it to end with what it has: Ctrl-C."""
        self.is_stopped = True

    def run(self, source: LibavSource, bar: Bar) -> None:
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

    def _follow(self, source: LibavSource, bar: Bar) -> None:
        progress = self._analysis.progress
        for analysed in self._analysis.results(source.items()):
            if analysed is not None:
                self._tell(analysed)
            elif self.is_stopped or (self._limit_s is not None and progress.t_s >= self._limit_s):
                return
            bar.show(progress.size_bytes, progress.packets)

    def _tell(self, analysed: Analysed) -> None:
        if analysed.result.is_detected:
            self._output.write(frame_line(analysed, self._class_names))
        self._tell_events(analysed.result.events)

    def _tell_events(self, events: list[Event]) -> None:
        for event in events:
            end_s = None if event.end_ns is None else self._analysis.seconds(event.end_ns)
            self._events += end_s is None
            self._output.write(event_line(event, self._analysis.seconds(event.start_ns), end_s))


@contextmanager
def opened_output(path: Path | None) -> Iterator[Output]:
    """The file at `path`, made anew, or standard output; ConfigurationError when it cannot be written."""
    if path is None:
        yield Output(sys.stdout)
        return
    try:
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        reason = error.strerror
        raise ConfigurationError(
            say(zh=f"--out：无法写入 {path}：{reason}", en=f"--out: cannot write {path}: {reason}")
        ) from None
    with stream:
        yield Output(stream)


@contextmanager
def opened_bar(file: Path | None) -> Iterator[Bar]:
    """A bar for a file of known size, or one that only counts."""
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[pictures]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, file.stat().st_size if file else None)
