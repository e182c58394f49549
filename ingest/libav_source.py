"""One stream read by libav, straight-line: open, describe, packets. For RTSP and for recorded files.

Out: `StreamInfo` whenever it is new, and `Encoded` packets in Annex B form. Blocks its caller's thread; a pause is
given back as None every READ_SLICE_S, so that whoever reads can stop. Raises `CameraError`, never libav's own errors.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ingest import libav_address
from ingest.camera_errors import CameraError, ProblemCode
from ingest.nal_units import read_extradata, to_annex_b
from ingest.packet import CAMERA_CODECS, Codec, StreamInfo
from ingest.reachability import diagnose
from ingest.session import KEY_FRAME_WAIT_S, MAX_PACKET_BYTES, StreamSource
from ingest.stream_description import StreamDescription
from runtime.errors import InvalidInputError

READ_SLICE_S = 0.5
"""How long a read may block before the reader can look whether it is to stop."""

DIAGNOSIS_S = 1.5
"""How long finding out why an opening failed may take."""

MAX_BROKEN_IN_A_ROW = 200
"""Packets in a row that are no NAL units (some seconds of video) end the session as garbage."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One access unit as it came."""

    pts_90k: int
    is_key: bool
    raw: bytes


Item = StreamInfo | Encoded | None


class LibavSource:
    """Context manager: opens on entry, closes on exit. `items` may be iterated once.

    `has_media` tells whether any packet has come, even one before the first key frame.
    """

    def __init__(self, source: StreamSource, *, open_timeout_s: float, silence_s: float) -> None:
        self._source = source
        self._open_timeout_s = open_timeout_s
        self._silence_s = silence_s
        self._last_pts_90k = -1
        self._broken = 0
        self.has_media = False

    def __enter__(self) -> "LibavSource":
        self._is_network = libav_address.is_network(self._source)
        self._container = self._open()
        try:
            self._stream, self._codec = _pick_video(self._container)
            self._length_bytes, promised = self._promise()
            self._description = StreamDescription(promised)
        except BaseException:
            self._container.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def items(self) -> Iterator[Item]:
        """Descriptions and packets until the end of a file; for a camera the end is a CameraError. None: a pause."""
        opened_s = heard_s = time.monotonic()
        has_key = False
        for arrived in self._arrivals():
            now_s = time.monotonic()
            if arrived is None:
                self._check_silence(now_s - heard_s)
                yield None
                continue
            heard_s, self.has_media = now_s, True
            info = self._description.look_at(arrived.raw) if arrived.is_key else None
            if info is not None:
                has_key = True
                yield info
            if has_key:
                yield arrived
            elif now_s - opened_s > KEY_FRAME_WAIT_S:
                raise CameraError(ProblemCode.NO_KEY_FRAME)
            else:
                yield None
        if self._is_network:
            raise CameraError(ProblemCode.CLOSED_BY_CAMERA)

    def _check_silence(self, silent_s: float) -> None:
        if silent_s > self._silence_s:
            raise CameraError(ProblemCode.STOPPED_SENDING if self.has_media else ProblemCode.NO_MEDIA)

    def _open(self) -> InputContainer:
        url = libav_address.address(self._source)
        options = libav_address.options(self._source, self._open_timeout_s)
        try:
            return av.open(url, options=options, timeout=(self._open_timeout_s, READ_SLICE_S))
        except (av.FFmpegError, OSError) as error:
            failure = error
        raise self._opening_failed(failure)

    def _opening_failed(self, failure: Exception) -> CameraError:
        if not self._is_network:
            is_missing = isinstance(failure, FileNotFoundError | PermissionError)
            return CameraError(ProblemCode.NO_FILE if is_missing else ProblemCode.NOT_VIDEO)
        code = _known_code(failure, has_login=self._source.credentials is not None)
        if code is None:
            host, port = libav_address.host_and_port(self._source)
            code = diagnose(host, port, DIAGNOSIS_S)
        return CameraError(code or ProblemCode.NO_ANSWER)

    def _promise(self) -> tuple[int | None, StreamInfo]:
        context = self._stream.codec_context
        rate = self._stream.average_rate
        extradata, length_bytes = context.extradata or b"", None
        if self._codec in CAMERA_CODECS:
            try:
                sets = read_extradata(self._codec, extradata)
            except InvalidInputError:
                raise CameraError(ProblemCode.GARBAGE) from None
            extradata, length_bytes = sets.annex_b, sets.length_bytes
        fps = float(rate) if rate else None
        return length_bytes, StreamInfo(self._codec, context.width, context.height, extradata, fps)

    def _arrivals(self) -> Iterator[Encoded | None]:
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        yield self._taken(packet)
                return
            except (av.FFmpegError, OSError) as error:
                code = _reading_failed(error)
            if code is not None:
                raise CameraError(code)
            yield None

    def _taken(self, packet: "av.Packet[VideoStream]") -> Encoded | None:
        if packet.size > MAX_PACKET_BYTES:
            raise CameraError(ProblemCode.TOO_LARGE, f"{packet.size >> 20} MB")
        raw = bytes(packet)
        if self._codec in CAMERA_CODECS:
            try:
                raw = to_annex_b(raw, self._length_bytes)
            except InvalidInputError:
                self._broken += 1
                if self._broken > MAX_BROKEN_IN_A_ROW:
                    raise CameraError(ProblemCode.GARBAGE) from None
                return None
        self._broken = 0
        return Encoded(self._pts_90k(packet), packet.is_keyframe, raw)

    def _pts_90k(self, packet: "av.Packet[VideoStream]") -> int:
        """libav leaves the first packet's time open (it is 0 then), and others after damage: one tick later."""
        pts = packet.pts if packet.pts is not None else packet.dts
        known = None if pts is None or packet.time_base is None else round(pts * packet.time_base * 90_000)
        self._last_pts_90k = self._last_pts_90k + 1 if known is None else known
        return self._last_pts_90k


def _pick_video(container: InputContainer) -> tuple[VideoStream, Codec]:
    """The first stream with video, and its codec."""
    if not container.streams.video:
        raise CameraError(ProblemCode.NOT_VIDEO)
    stream = container.streams.video[0]
    name = stream.codec_context.name if stream.codec_context else "?"
    with suppress(ValueError):
        return stream, Codec(name)
    raise CameraError(ProblemCode.CODEC_UNSUPPORTED, name)


def _known_code(failure: Exception, *, has_login: bool) -> ProblemCode | None:
    """What libav's error says by itself; None when it could be anything."""
    if isinstance(failure, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return ProblemCode.LOGIN_REFUSED if has_login else ProblemCode.LOGIN_MISSING
    if isinstance(failure, av.error.HTTPNotFoundError):
        return ProblemCode.NOT_FOUND
    if isinstance(failure, av.error.HTTPClientError):
        return ProblemCode.TRANSPORT_REFUSED
    if isinstance(failure, av.error.HTTPServerError):
        return ProblemCode.SERVER_ERROR
    if isinstance(failure, ConnectionRefusedError):
        return ProblemCode.REFUSED
    return None


def _reading_failed(error: Exception) -> ProblemCode | None:
    """None for a pause: the read slice was over."""
    if isinstance(error, av.error.ExitError):
        return None
    if isinstance(error, TimeoutError):
        return ProblemCode.STOPPED_SENDING
    if isinstance(error, av.error.InvalidDataError):
        return ProblemCode.GARBAGE
    return ProblemCode.CLOSED_BY_CAMERA
