"""The two cameras of `sharpeyes up --demo`: short loops cut from the street footage, encoded once into the data folder.

Each loop is one shot of the footage, slowed down, then a still, then a fade to its beginning, so that it looks like a
fixed camera with something happening every ten seconds. Blocks for some seconds the first time; raises
`ConfigurationError` when the footage is absent, saying how to get it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from console.fetch_footage import footage_path, has_footage
from devices.scene import Scene
from devices.scene_file import load_scene_file
from runtime.errors import ConfigurationError
from runtime.language import say

FPS = 25
GOP = 25
SIZE_PX = (960, 408)
FADE_FRAMES = 10

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shot:
    """Frames `first` to `last` of the footage, each shown for `slowness` frames; the last one stands for `still_s`."""

    camera_id: str
    first: int
    last: int
    slowness: int
    still_s: float


SHOTS = (
    # A man rides past from left to right, in front of waiting cars.
    Shot("east", first=30, last=50, slowness=4, still_s=6.0),
    # A cyclist waits at the kerb; a van and a car pass between him and the camera.
    Shot("west", first=78, last=136, slowness=3, still_s=4.0),
)


def demo_files(folder: Path, footage: Path | None = None) -> dict[str, Path]:
    """Camera id to H.264 file in `folder`, made now if they are not there yet."""
    files = {shot.camera_id: folder / f"{shot.camera_id}-{_recipe(shot)}.mp4" for shot in SHOTS}
    missing = [shot for shot in SHOTS if not files[shot.camera_id].exists()]
    if missing:
        source = footage or footage_path()
        if not has_footage(source):
            raise ConfigurationError(_absent(source))
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _read(source, max(shot.last for shot in missing))
        for shot in missing:
            _write(files[shot.camera_id], list(_loop(pictures, shot)))
    return files


def demo_scene(camera_id: str) -> Scene:
    """The zones, lines and rules of a demo camera."""
    return load_scene_file(Path(__file__).with_name(f"demo_{camera_id}.yaml"))


def _absent(source: Path) -> str:
    return say(
        zh=f"缺少演示视频 {source}。请联网运行一次：python -m console.fetch_footage；"
        "也可以用 `sharpeyes simulate camera 文件.mp4` 播放自己的视频。",
        en=f"the demo's footage is missing ({source}). Run once, with a network: python -m console.fetch_footage; "
        "or play a file of your own with `sharpeyes simulate camera FILE.mp4`.",
    )


def _recipe(shot: Shot) -> str:
    """Changes when the file would come out differently, so that an old one is not taken for it."""
    return hashlib.sha256(repr((shot, FPS, GOP, SIZE_PX, FADE_FRAMES)).encode()).hexdigest()[:8]


def _read(source: Path, last: int) -> list[Picture]:
    """Frames 0 to `last` as planar YUV 4:2:0 in the demo's size."""
    width_px, height_px = SIZE_PX
    pictures = []
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            scaled: Any = frame.reformat(width=width_px, height=height_px, format="yuv420p", interpolation="BICUBIC")
            pictures.append(scaled.to_ndarray())
            if len(pictures) > last:
                break
    return pictures


def _loop(pictures: Sequence[Picture], shot: Shot) -> Iterator[Picture]:
    for place in range(shot.first, shot.last):
        yield from _between(pictures[place], pictures[place + 1], shot.slowness)
    end, beginning = pictures[shot.last], pictures[shot.first]
    yield from [end] * round(shot.still_s * FPS)
    yield from _between(end, beginning, FADE_FRAMES)


def _between(here: Picture, there: Picture, steps: int) -> Iterator[Picture]:
    """`steps` pictures from `here`, inclusive, towards `there`, exclusive."""
    for step in range(steps):
        share = step / steps
        blended: Any = cv2.addWeighted(here, 1 - share, there, share, 0)
        yield blended


def _write(path: Path, pictures: Sequence[Picture]) -> None:
    writing = path.with_suffix(".part")
    try:
        with av.open(str(writing), "w", format="mp4") as container:
            stream: Any = container.add_stream("libx264", rate=FPS)
            stream.width, stream.height = SIZE_PX
            stream.pix_fmt = "yuv420p"
            stream.options = {
                "preset": "veryfast",
                "crf": "24",
                "x264-params": f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0",
            }
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        writing.replace(path)
    except (OSError, FFmpegError) as error:
        writing.unlink(missing_ok=True)
        raise ConfigurationError(
            say(zh=f"无法写入演示视频 {path}：{error}", en=f"the demo's video {path} cannot be written: {error}")
        ) from None
