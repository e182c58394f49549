"""Decoders: encoded packets in, frames with their own stamps out. libav, one thread each, sizes bounded.

A quiet camera holds none: `decode_key_frame` makes one for a single picture. An active camera owns a `Decoder`.
Damage in the bitstream is counted, never raised; damaged pictures are left out.
"""

import fractions
from collections.abc import Iterable
from typing import Any

import av
from av.video.codeccontext import VideoCodecContext

from ingest.packet import CAMERA_CODECS, Codec, Frame, Packet, Stamp, StreamInfo
from ingest.session import MAX_PIXELS

MAX_STAMPS = 64
"""H.264 and H.265 hold back at most 16 pictures; more stamps than this belong to pictures that never came."""

PLAIN_FORMATS = frozenset({"yuv420p", "yuvj420p"})
"""What `Frame` promises; 10 bit, 4:2:2 and others are converted."""

_DECODER_NAMES = {Codec.AV1: "libdav1d"}
"""libav's own AV1 decoder needs special hardware."""

TICK = fractions.Fraction(1, 90_000)


class Decoder:
    """A decoder that keeps its references from packet to packet. Used by one thread at a time."""

    def __init__(self, info: StreamInfo, *, skips_loop_filter: bool = True) -> None:
        self._info = info
        self._context = _open(info, skips_loop_filter=skips_loop_filter)
        self._stamps: dict[int, Stamp] = {}
        self._sent = 0
        self._errors = 0

    @property
    def errors(self) -> int:
        """Packets and pictures that could not be decoded."""
        return self._errors

    def decode(self, packet: Packet) -> list[Frame]:
        """Decode one packet, in stream order; the frames that are ready now, perhaps none, in order of display."""
        self._stamps[self._sent] = packet.stamp
        if len(self._stamps) > MAX_STAMPS:
            del self._stamps[next(iter(self._stamps))]
        encoded = av.Packet(packet.raw)
        encoded.pts = encoded.dts = self._sent
        encoded.time_base = TICK
        encoded.is_keyframe = packet.is_key
        self._sent += 1
        return self._receive(encoded)

    def drain(self) -> list[Frame]:
        """The frames still held back; nothing can be decoded afterwards."""
        return self._receive(None)

    def _receive(self, encoded: "av.Packet[Any] | None") -> list[Frame]:
        try:
            pictures: Iterable[av.VideoFrame] = self._context.decode(encoded)
        except av.FFmpegError:
            self._errors += 1
            return []
        frames = []
        for picture in pictures:
            stamp = self._stamps.pop(picture.pts, None) if picture.pts is not None else None
            if picture.is_corrupt:
                self._errors += 1
            elif stamp is not None:
                frames.append(Frame(stamp, _plain(picture)))
        return frames


def decode_key_frame(info: StreamInfo, packet: Packet) -> Frame | None:
    """Decode one key frame by itself; None when it is damaged. Costs no more than with a decoder kept for it."""
    decoder = Decoder(info, skips_loop_filter=False)
    frames = decoder.decode(packet) or decoder.drain()
    return frames[0] if frames else None


def _open(info: StreamInfo, *, skips_loop_filter: bool) -> VideoCodecContext:
    context = av.CodecContext.create(_DECODER_NAMES.get(info.codec, info.codec.value), "r")
    assert isinstance(context, VideoCodecContext)
    if info.extradata:
        context.extradata = info.extradata
    if info.codec not in CAMERA_CODECS:
        context.width, context.height = info.width_px, info.height_px
    context.thread_count = 1
    loop_filter = {"skip_loop_filter": "all"} if skips_loop_filter else {}
    context.options = {"max_pixels": str(MAX_PIXELS)} | loop_filter
    return context


def _plain(picture: av.VideoFrame) -> av.VideoFrame:
    return picture if picture.format.name in PLAIN_FORMATS else picture.reformat(format="yuv420p")
