"""The streams that the tests' cameras send, made once from real footage and kept in the cache folder.

Source: OpenCV's vtest.avi (a fixed outdoor camera with pedestrians, PETS 2009), from TEST_FOOTAGE, an
installed `opencv-doc`, or that Debian package downloaded and unpacked.
Blocks while ffmpeg runs; raises MissingServerError.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.servers.cache import MissingServerError, find_program, footage_folder

SOURCE_SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
IN_PACKAGE = "usr/share/doc/opencv-doc/examples/data/vtest.avi"

# A band of 16:9 out of 768x576, so that main and sub stream show the same picture, as those of one camera do.
CROP = "crop=768:432:0:100"


@dataclass(frozen=True, slots=True)
class Stream:
    """One byte stream: a name, how it is filtered from the source, and what a camera's menu would say."""

    name: str
    codec: str
    width_px: int
    height_px: int
    fps: int
    bit_rate: str
    gop: int
    seconds: int
    noise: int = 5
    still: bool = False

    @property
    def file_name(self) -> str:
        return f"{self.name}.{self.codec}"


STREAMS = (
    Stream("street", "h264", 1920, 1080, 25, "4M", 50, 40),
    Stream("street-sub", "h264", 704, 576, 15, "768k", 30, 40),
    Stream("street-h265", "h265", 704, 400, 15, "700k", 30, 20),
    Stream("still", "h264", 1920, 1080, 25, "4M", 50, 20, still=True),
    Stream("still-sub", "h264", 704, 576, 15, "768k", 30, 20, still=True),
    Stream("large", "h264", 1280, 720, 25, "1500k", 25, 3),
    Stream("small", "h264", 640, 360, 25, "600k", 25, 3),
)


def footage(name: str) -> Path:
    """The byte stream of that name (`STREAMS`, or "resize"), made now if it was not yet."""
    folder = make_footage()
    found = [path for path in folder.iterdir() if path.stem == name]
    assert found, f"there is no footage called {name!r}"
    return found[0]


def make_footage() -> Path:
    """The folder with all streams; the first call on a machine takes about a minute."""
    folder = footage_folder()
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "footage.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                made = Path(scratch) / "made"
                made.mkdir()
                _make_all(made)
                made.rename(folder)
    return folder


def _make_all(folder: Path) -> None:
    source = find_source(folder.parent)
    for stream in STREAMS:
        _encode(source, stream, folder / stream.file_name)
    large, small = folder / "large.h264", folder / "small.h264"
    (folder / "resize.h264").write_bytes(large.read_bytes() + small.read_bytes())


def _encode(source: Path, stream: Stream, target: Path) -> None:
    filters = [CROP, f"fps={stream.fps}"]
    if stream.still:
        filters.append(f"trim=end_frame=1,loop={stream.fps * stream.seconds}:1,setpts=N/{stream.fps}/TB")
    # Sensor noise: without it the repeated frames of a 10 fps source cost neither bits nor work.
    filters += [f"scale={stream.width_px}:{stream.height_px}:flags=bilinear", f"noise=alls={stream.noise}:allf=t"]
    rate = ["-b:v", stream.bit_rate, "-maxrate", stream.bit_rate, "-bufsize", stream.bit_rate]
    gop = f"keyint={stream.gop}:min-keyint={stream.gop}:scenecut=0:bframes=0"
    coder = (
        ["-c:v", "libx264", "-preset", "superfast", "-x264-params", gop, "-f", "h264"]
        if stream.codec == "h264"
        else ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"{gop}:log-level=error", "-f", "hevc"]
    )
    skip = ["-ss", "30"] if stream.still else []
    command = [find_program("ffmpeg"), "-v", "error", "-y", *skip, "-i", str(source), "-an", "-vf", ",".join(filters)]
    command += ["-t", str(stream.seconds), "-pix_fmt", "yuv420p", *rate, *coder, str(target)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, f"ffmpeg could not make {target.name}:\n{ended.stderr}"


def find_source(scratch: Path) -> Path:
    """vtest.avi, checked by its sha256; raises MissingServerError when it cannot be had."""
    given = os.environ.get("TEST_FOOTAGE")
    places = [Path(given)] if given else [Path("/") / IN_PACKAGE]
    for path in places:
        if path.is_file() and _sha256(path) == SOURCE_SHA256:
            return path
    if given:
        raise MissingServerError(f"vtest.avi (TEST_FOOTAGE={given} is not that file)")
    return _download(scratch)


def _download(scratch: Path) -> Path:
    try:
        got = subprocess.run(
            [find_program("apt-get"), "download", "-q", "opencv-doc"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except MissingServerError:
        raise MissingServerError("vtest.avi (set TEST_FOOTAGE to its path)") from None
    packages = list(scratch.glob("opencv-doc_*.deb"))
    if got.returncode != 0 or not packages:
        raise MissingServerError(
            f"vtest.avi (Debian's package opencv-doc could not be downloaded: {got.stderr.strip()})"
        )
    subprocess.run([find_program("dpkg-deb"), "-x", str(packages[0]), str(scratch / "package")], check=True)
    path = scratch / "package" / IN_PACKAGE
    if not path.is_file() or _sha256(path) != SOURCE_SHA256:
        raise MissingServerError("vtest.avi (Debian's package opencv-doc holds another file now)")
    return path


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(make_footage())
    sys.exit(0)
