"""Small real streams for unit tests, encoded once a run: moving bars, H.264 or H.265, with or without reordering."""

import functools
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ingest.packet import Codec, Packet, Stamp, StreamInfo
from ingest.ring import PacketRing

FPS = 10
GOP = 10
STEP_90K = 90_000 // FPS
STEP_NS = 1_000_000_000 // FPS
T0_NS = 1_767_225_600 * 1_000_000_000
SIZE = (96, 64)


@functools.cache
def made_stream(
    seconds: int = 3, codec: Codec = Codec.H264, b_frames: int = 0, size: tuple[int, int] = SIZE
) -> tuple[StreamInfo, tuple[Packet, ...]]:
    """The description and the packets of `seconds` at FPS, a key frame each GOP packets, in decode order, Annex B."""
    encoder: Any = av.CodecContext.create("libx264" if codec is Codec.H264 else "libx265", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, 90_000)
    encoder.framerate = Fraction(FPS)
    parameters = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes={b_frames}:b-adapt=0"
    names = {Codec.H264: "x264-params", Codec.H265: "x265-params"}
    quiet = "" if codec is Codec.H264 else ":log-level=error:pools=1:frame-threads=1"
    encoder.options = {"preset": "ultrafast", names[codec]: parameters + quiet}
    encoder.thread_count = 1
    made = []
    for number in range(seconds * FPS):
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        left = number * 3 % size[0]
        picture[:, left : left + 8] = 255
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = number * STEP_90K
        frame.time_base = Fraction(1, 90_000)
        made += encoder.encode(frame)
    made += encoder.encode(None)
    packets = tuple(
        Packet(Stamp("east", seq, T0_NS + packet.pts * 100_000 // 9), packet.pts, packet.is_keyframe, bytes(packet))
        for seq, packet in enumerate(made)
    )
    return StreamInfo(codec, *size, bytes(encoder.extradata or b""), float(FPS)), packets


def later(packet: Packet, shift_s: float, *, pts_shift_s: float | None = None) -> Packet:
    """The packet as it would have come `shift_s` later; its pts moves by `pts_shift_s` where that differs."""
    pts_s = shift_s if pts_shift_s is None else pts_shift_s
    stamp = Stamp(packet.stamp.camera_id, packet.stamp.seq, packet.stamp.t_ns + round(shift_s * 1e9))
    return Packet(stamp, packet.pts_90k + round(pts_s * 90_000), packet.is_key, packet.raw)


def endless(seconds: int) -> list[Packet]:
    """`seconds` of H.264 (a multiple of 3), longer than what is encoded."""
    _, packets = made_stream(3)
    return [later(packet, 3.0 * lap) for lap in range(seconds // 3) for packet in packets]


def filled_ring(seconds: int = 12, max_s: float = 60) -> PacketRing:
    """A ring that has taken `seconds` of one session."""
    info, _ = made_stream(3)
    ring = PacketRing(max_s, 1 << 24)
    ring.begin_session(info)
    for packet in endless(seconds):
        ring.append(packet)
    return ring
