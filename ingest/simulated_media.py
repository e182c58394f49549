"""An H.264 file as what a simulated camera sends: access units with their RTP payloads (RFC 6184), ready in memory.

Blocks while the file is read. Raises `ConfigurationError` for a file that is missing, too large or not H.264.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from ingest.nal_units import has_all_parameter_sets, parameter_set_units, read_extradata, split_annex_b, to_annex_b
from ingest.packet import Codec
from runtime.errors import ConfigurationError, InvalidInputError
from runtime.language import say

MAX_FILE_BYTES = 256 << 20
"""The whole file is held in memory, once for all viewers."""

PAYLOAD_BYTES = 1400
"""As cameras cut them, to fit an Ethernet frame."""

TICKS_PER_S = 90_000
FU_A = 28


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture. `at_90k` is when it is sent, `pts_90k` when it is shown, both from the start of the loop."""

    at_90k: int
    pts_90k: int
    is_key: bool
    payloads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Media:
    """One lap of the loop. It begins with a key frame; each key frame carries the parameter sets."""

    units: tuple[AccessUnit, ...]
    duration_90k: int
    sps: bytes
    pps: bytes

    @property
    def fmtp(self) -> str:
        """The format parameters of the SDP."""
        sets = ",".join(base64.b64encode(unit).decode() for unit in (self.sps, self.pps))
        return f"packetization-mode=1;profile-level-id={self.sps[1:4].hex()};sprop-parameter-sets={sets}"


def load_media(path: Path) -> Media:
    """Read an MP4, MKV or any other file whose first video stream is H.264."""
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise _refused(path, error.strerror or str(error), error.strerror or str(error)) from None
    if size_bytes > MAX_FILE_BYTES:
        limit = f"{MAX_FILE_BYTES >> 20} MiB"
        raise _refused(path, f"大于 {limit}，请截短", f"is larger than {limit}: cut it shorter")
    try:
        return _read(path)
    except (FFmpegError, InvalidInputError, IndexError):
        raise _refused(
            path,
            "不是含有 H.264 视频的文件；可先转换：ffmpeg -i 原文件 -an -c:v libx264 -bf 0 -g 50 新文件.mp4",
            "is no file with H.264 video; convert it first: ffmpeg -i OLD -an -c:v libx264 -bf 0 -g 50 NEW.mp4",
        ) from None


def _refused(path: Path, zh: str, en: str) -> ConfigurationError:
    return ConfigurationError(say(zh=f"{path}：{zh}", en=f"{path}: {en}"))


def _read(path: Path) -> Media:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.codec_context.name != Codec.H264.value or stream.time_base is None:
            raise InvalidInputError("not H.264")
        sets = read_extradata(Codec.H264, bytes(stream.codec_context.extradata or b""))
        ticks = stream.time_base * TICKS_PER_S
        pictures = [
            (round(packet.dts * ticks), round(packet.pts * ticks), packet.is_keyframe, bytes(packet))
            for packet in container.demux(stream)
            if packet.pts is not None and packet.dts is not None
        ]
    while pictures and not pictures[0][2]:
        pictures.pop(0)
    annex_b = [(at, pts, key, to_annex_b(raw, sets.length_bytes)) for at, pts, key, raw in pictures]
    units = parameter_set_units(Codec.H264, sets.annex_b) or parameter_set_units(Codec.H264, annex_b[0][3])
    if not has_all_parameter_sets(Codec.H264, units):
        raise InvalidInputError("no parameter sets")
    sps, pps = (next(unit for unit in units if unit[0] & 0x1F == kind) for kind in (7, 8))
    return _lap(annex_b, sps, pps)


def _lap(pictures: list[tuple[int, int, bool, bytes]], sps: bytes, pps: bytes) -> Media:
    start = pictures[0][0]
    sends = [at - start for at, _, _, _ in pictures]
    step = (sends[-1] - sends[0]) // max(1, len(sends) - 1) or TICKS_PER_S // 25
    units = tuple(
        AccessUnit(at - start, pts - start, is_key, tuple(_payloads(_with_sets(raw, is_key, sps, pps))))
        for at, pts, is_key, raw in pictures
    )
    return Media(units, sends[-1] + step, sps, pps)


def _with_sets(raw: bytes, is_key: bool, sps: bytes, pps: bytes) -> list[bytes]:
    units = [unit for unit in split_annex_b(raw) if unit[0] & 0x1F not in (7, 8, 9)]
    return [sps, pps, *units] if is_key else units


def _payloads(units: list[bytes]) -> Iterator[bytes]:
    """Single NAL unit packets, and fragmentation units for those that are too long (RFC 6184, 5.6 and 5.8)."""
    for unit in units:
        if len(unit) <= PAYLOAD_BYTES:
            yield unit
            continue
        indicator, kind = unit[0] & 0xE0 | FU_A, unit[0] & 0x1F
        room = PAYLOAD_BYTES - 2
        for start in range(1, len(unit), room):
            first, last = 0x80 * (start == 1), 0x40 * (start + room >= len(unit))
            yield bytes([indicator, kind | first | last]) + unit[start : start + room]
