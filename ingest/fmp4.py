"""Packets of one camera session in, fragmented MP4 out, without transcoding; H.264 and H.265.

Used by one thread at a time. Nothing is read back or sought: the sink gets the bytes in their final order, at the
latest one fragment (a second or a group of pictures) late, so a process killed at any instant leaves a prefix that
plays. Raises `InvalidInputError` for a stream that cannot be muxed; errors of the sink come through.
"""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Protocol

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from ingest.decode_times import MAX_REORDER, TICKS_PER_S, DecodeTimes, SteadyTimes, reorder_depth
from ingest.nal_units import (
    has_all_parameter_sets,
    join_annex_b,
    parameter_set_units,
    read_extradata,
    to_annex_b,
)
from ingest.packet import Codec, Packet, StreamInfo
from runtime.clock import NS_PER_S
from runtime.errors import InvalidInputError

HELD_PACKETS = MAX_REORDER + 1
"""Packets looked at before the first is written: enough to see how deep the stream reorders."""

FRAGMENT_US = 1_000_000
"""A fragment ends at a key frame, or after this time where key frames are rare."""

BUFFER_BYTES = 256 * 1024
USUAL_STEP_90K = TICKS_PER_S // 25

_TAGS = {Codec.H264: "avc1", Codec.H265: "hvc1"}
_TIME_BASE = Fraction(1, TICKS_PER_S)
_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
    "frag_duration": str(FRAGMENT_US),
    "flush_packets": "1",
}


class Sink(Protocol):
    """Where the bytes go, in order."""

    def write(self, data: bytes, /) -> int: ...


class FragmentWriter:
    """One MP4 file. The first packet must be a key frame; then `write` in decode order, and `close`."""

    def __init__(self, sink: Sink, info: StreamInfo) -> None:
        if info.codec not in _TAGS:
            raise InvalidInputError(f"{info.codec} cannot be recorded as MP4 without transcoding; use H.264 or H.265")
        self._sink = sink
        self._info = info
        self._sets = read_extradata(info.codec, info.extradata)
        self._steady = SteadyTimes()
        self._held: list[tuple[bytes, bool, int]] = []
        self._times: DecodeTimes | None = None
        self._header = b""
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._end_90k = 0
        self._packets = 0

    @property
    def duration_ns(self) -> int:
        """Length of what was given so far, the last picture's own time included."""
        return self._end_90k * NS_PER_S // TICKS_PER_S

    @property
    def packets(self) -> int:
        """Packets given so far."""
        return self._packets

    def write(self, packet: Packet) -> None:
        """Take the next packet in decode order."""
        raw = to_annex_b(packet.raw, self._sets.length_bytes)
        if self._packets == 0:
            raw = self._with_parameter_sets(raw, packet.is_key)
        pts = self._steady.next_90k(packet.pts_90k, packet.stamp.t_ns)
        self._end_90k = max(self._end_90k, pts + self._usual_step())
        self._packets += 1
        if self._times is None:
            self._held.append((raw, packet.is_key, pts))
            if len(self._held) == HELD_PACKETS:
                self._begin()
        else:
            self._mux(self._times, raw, packet.is_key, pts)

    def close(self) -> None:
        """Write what is held and end the file; without a packet the sink has got nothing. Safe to call again."""
        if self._times is None and self._held:
            self._begin()
        container, self._container = self._container, None
        if container is not None:
            with _mux_errors(self._info.codec):
                container.close()

    def _usual_step(self) -> int:
        fps = self._info.nominal_fps
        return round(TICKS_PER_S / fps) if fps and 0.1 <= fps <= 1000 else USUAL_STEP_90K

    def _with_parameter_sets(self, raw: bytes, is_key: bool) -> bytes:
        """The first packet, beginning with parameter sets: its own, or else those of the stream's description."""
        codec = self._info.codec
        if not is_key:
            raise InvalidInputError("a file must begin with a key frame")
        own = parameter_set_units(codec, raw)
        units = own if has_all_parameter_sets(codec, own) else parameter_set_units(codec, self._sets.annex_b)
        if not has_all_parameter_sets(codec, units):
            raise InvalidInputError(f"the {codec} stream carries no parameter sets, so it cannot be recorded")
        self._header = join_annex_b(units)
        return raw if units is own else self._header + raw

    def _begin(self) -> None:
        all_pts = [pts for _, _, pts in self._held]
        shown = sorted(set(all_pts))
        step = min((after - before for before, after in itertools.pairwise(shown)), default=0)
        self._times = DecodeTimes(reorder_depth(all_pts), step or self._usual_step())
        self._container, self._stream = _open_mp4(self._sink, self._info, self._header)
        held, self._held = self._held, []
        for raw, is_key, pts in held:
            self._mux(self._times, raw, is_key, pts)

    def _mux(self, times: DecodeTimes, raw: bytes, is_key: bool, pts: int) -> None:
        if self._container is None or self._stream is None:
            raise InvalidInputError("the file is closed")
        its = times.next(pts)
        packet = av.Packet(raw)
        packet.stream = self._stream
        packet.time_base = _TIME_BASE
        packet.pts, packet.dts, packet.duration = its.pts_90k, its.dts_90k, its.step_90k
        packet.is_keyframe = is_key
        with _mux_errors(self._info.codec):
            self._container.mux_one(packet)


def _open_mp4(sink: Sink, info: StreamInfo, header: bytes) -> tuple[OutputContainer, VideoStream]:
    """A container and its one stream. libav takes a stream's facts from another stream only, so we show it one that
    consists of the parameter sets alone."""
    with _mux_errors(info.codec), av.open(io.BytesIO(header), format=info.codec.value) as sample:
        container = av.open(sink, "w", format="mp4", container_options=_OPTIONS, buffer_size=BUFFER_BYTES)
        stream = container.add_stream_from_template(sample.streams.video[0], opaque=True)
        facts = stream.codec_context
        facts.extradata = header
        facts.width, facts.height = info.width_px, info.height_px
        facts.codec_tag = _TAGS[info.codec]
        stream.time_base = _TIME_BASE
        return container, stream


@contextmanager
def _mux_errors(codec: Codec) -> Iterator[None]:
    try:
        yield
    except FFmpegError as error:
        raise InvalidInputError(f"the {codec} stream cannot be written as MP4: {error.strerror}") from None
