"""What a killed process left of a fragmented MP4: its whole fragments, as a shorter file that plays.

Calls block on the disk; raise OSError.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
from av.error import FFmpegError

from runtime.clock import NS_PER_S

MAX_BOXES = 1_000_000
"""Two a fragment, so weeks of a stream; a broken file cannot keep us busy for ever."""


def boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of each top-level box that is there whole, from the file's place on."""
    size_bytes = os.fstat(file.fileno()).st_size
    place = file.tell()
    for _ in range(MAX_BOXES):
        file.seek(place)
        header = file.read(16)
        if len(header) < 8:
            return
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length < 8 or place + length > size_bytes:
            return
        yield header[4:8], place, place + length
        place += length


def keep_whole_fragments(path: Path) -> int:
    """Cut the file behind its last whole fragment and bring it to the disk; how many fragments there are.

    With none, nothing is cut: there is nothing to keep.
    """
    fragments = end = 0
    with path.open("r+b") as file:
        before = b""
        for kind, _, stop in boxes(file):
            if kind == b"mdat" and before == b"moof":
                fragments, end = fragments + 1, stop
            before = kind
        if fragments:
            file.truncate(end)
            os.fsync(file.fileno())
    return fragments


def duration_ns(path: Path) -> int:
    """How long the MP4 plays; 0 when that cannot be read."""
    try:
        with av.open(str(path), format="mp4") as container:
            last_s = max(
                (
                    float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    for packet in container.demux(video=0)
                    if packet.pts is not None and packet.time_base is not None
                ),
                default=0.0,
            )
    except (FFmpegError, IndexError):
        return 0
    return round(last_s * NS_PER_S)
