"""What ffprobe, a reader that is not ours, says about a video file."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.servers.cache import find_program


@dataclass(frozen=True, slots=True)
class Probed:
    """`pts_s` and `is_key` are per packet, in the order of the file."""

    codec: str
    tag: str
    width_px: int
    height_px: int
    duration_s: float
    pts_s: tuple[float, ...]
    is_key: tuple[bool, ...]
    complaints: str


def ffprobe(path: Path) -> Probed:
    """Read all packets of the first video stream; complaints of a full decoding are kept."""
    command = [find_program("ffprobe"), "-v", "error", "-of", "json", "-select_streams", "v:0"]
    entries = "stream=codec_name,codec_tag_string,width,height:format=duration:packet=pts_time,flags"
    read = subprocess.run(
        [*command, "-show_entries", entries, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    said = json.loads(read.stdout)
    (stream,) = said["streams"]
    decode = [find_program("ffmpeg"), "-v", "error", "-i", str(path), "-f", "null", "-"]
    decoded = subprocess.run(decode, capture_output=True, text=True, timeout=60, check=False)
    return Probed(
        codec=stream["codec_name"],
        tag=stream["codec_tag_string"],
        width_px=stream["width"],
        height_px=stream["height"],
        duration_s=float(said["format"]["duration"]),
        pts_s=tuple(float(packet["pts_time"]) for packet in said["packets"]),
        is_key=tuple("K" in packet["flags"] for packet in said["packets"]),
        complaints=decoded.stderr,
    )
