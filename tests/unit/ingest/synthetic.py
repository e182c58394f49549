"""Small H.264 and H.265 streams made in memory: a grey scene with grain, in which a white square may move."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from ingest.packet import Codec, Packet, Stamp, StreamInfo
from runtime.clock import NS_PER_S

WIDTH, HEIGHT, FPS, GOP = 320, 192, 25, 25
SQUARE_PX = 48


def picture(second: float, moves: Callable[[float], bool], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Luma (h, w): grain, and the square when it is there."""
    luma = rng.integers(118, 122, (HEIGHT, WIDTH), dtype=np.uint8)
    if moves(second):
        left = int(second * 90) % (WIDTH - SQUARE_PX)
        luma[40 : 40 + SQUARE_PX, left : left + SQUARE_PX] = 235
    return luma


def encoded(
    seconds: float, moves: Callable[[float], bool], codec: Codec = Codec.H264, width: int = WIDTH, gop: int = GOP
) -> Iterator[tuple[int, bool, bytes]]:
    """(pts_90k, is_key, Annex B) of a stream with a key frame each `gop` pictures and no B-frames."""
    rng = np.random.default_rng(1)
    name, params = ("libx264", "x264-params") if codec is Codec.H264 else ("libx265", "x265-params")
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, HEIGHT, "yuv420p"
    context.time_base, context.framerate = Fraction(1, FPS), Fraction(FPS)
    quiet = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes=0"
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        params: quiet + ":log-level=none" * (codec is Codec.H265),
    }
    context.options |= {"crf": "30"}
    for number in range(round(seconds * FPS)):
        luma = np.zeros((HEIGHT, width), np.uint8)
        luma[:, :WIDTH] = picture(number / FPS, moves, rng)[:, :width]
        planes = np.concatenate([luma.reshape(-1), np.full(HEIGHT * width // 2, 128, np.uint8)])
        frame = av.VideoFrame.from_ndarray(planes.reshape(HEIGHT * 3 // 2, width), format="yuv420p")
        frame.pts = number
        for packet in context.encode(frame):
            yield number * 90_000 // FPS, packet.is_keyframe, bytes(packet)


def packets(
    seconds: float,
    moves: Callable[[float], bool] = lambda _: False,
    codec: Codec = Codec.H264,
    gop: int = GOP,
) -> list[Packet]:
    """The same as packets of camera "cam", `t_ns` being time since the stream's start plus one hour."""
    return [
        Packet(Stamp("cam", seq, 3600 * NS_PER_S + pts * NS_PER_S // 90_000), pts, is_key, raw)
        for seq, (pts, is_key, raw) in enumerate(encoded(seconds, moves, codec, gop=gop))
    ]


def info(codec: Codec = Codec.H264) -> StreamInfo:
    return StreamInfo(codec, WIDTH, HEIGHT, b"", float(FPS))
