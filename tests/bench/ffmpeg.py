"""The baseline of camera benches: ffmpeg as others run it, a process for each thing done with a camera."""

from pathlib import Path
from typing import Self

from tests.servers.cache import find_program
from tests.servers.process import ServerProcess


class Ffmpeg(ServerProcess):
    """`Ffmpeg(url, *output options and target)`, for RTSP over TCP; ready with its first frame."""

    name = "ffmpeg"

    def __init__(self, url: str, *output: str) -> None:
        super().__init__()
        self._url = url
        self._output = output
        self._progress = self.folder / "progress"

    @classmethod
    def copy(cls, url: str, segment_s: int) -> Self:
        """Records segments without decoding."""
        segments = ("-f", "segment", "-segment_time", str(segment_s), "-reset_timestamps", "1", "%05d.mp4")
        return cls(url, "-c", "copy", *segments)

    @classmethod
    def decode(cls, url: str) -> Self:
        """Decodes every frame, gives five a second, throws them away."""
        return cls(url, "-vf", "fps=5", "-f", "null", "-")

    def command(self) -> list[str]:
        quiet = [
            "-nostdin",
            "-loglevel",
            "error",
            "-nostats",
            "-stats_period",
            "0.05",
            "-progress",
            str(self._progress),
        ]
        source = ["-rtsp_transport", "tcp", "-threads", "1", "-i", self._url]
        return [find_program("ffmpeg"), *quiet, *source, *self._output]

    def is_ready(self) -> bool:
        return any(frames > 0 for frames in _frames(self._progress))


def _frames(progress: Path) -> list[int]:
    if not progress.exists():
        return []
    said = [line.partition("=")[2] for line in progress.read_text().splitlines() if line.startswith("frame=")]
    return [int(count) for count in said if count.strip().isdigit()]
