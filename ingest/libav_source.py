"""One stream read by libav, straight-line: open, describe, packets. For RTSP and for recorded files.

Out: `StreamInfo` whenever it is new, and `Encoded` packets in Annex B form. Blocks its caller's thread; a pause is
given back as None every READ_SLICE_S, so that whoever reads can stop. Raises `CameraError`, never libav's own errors.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from ingest import libav_address
from ingest.arrival import Beginning, Encoded, Silence
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


Item = StreamInfo | Encoded | None


class LibavSource:
    """Context manager: opens on entry, closes on exit. `items` may be iterated once.

    `has_media` tells whether any packet has come, even one before the first key frame.
    """

    def __init__(self, source: StreamSource, *, open_timeout_s: float, silence_s: float) -> None:
        self._source = source
        self._open_timeout_s = open_timeout_s
        self._silence_s = silence_s
        self._broken = 0
        self.has_media = False

    def __enter__(self) -> "LibavSource":
        self._is_network = libav_address.is_network(self._source)
        self._container = self._open()
        try:
            self._stream, self._codec = _pick_video(self._container)
            self._length_bytes, promised = self._promise()
            self._beginning = Beginning(promised.nominal_fps)
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
        opened_s = time.monotonic()
        silence = Silence(self._silence_s)
        has_key = False
        for arrived in self._arrivals():
            if not has_key and time.monotonic() - opened_s > KEY_FRAME_WAIT_S:
                raise CameraError(ProblemCode.NO_KEY_FRAME if self._description.has_size else ProblemCode.GARBAGE)
            if arrived is None:
                silence.check(has_media=self.has_media)
                yield None
                continue
            silence.end()
            self.has_media = True
            info = self._description.look_at(arrived.raw) if arrived.is_key else None
            if info is not None:
                has_key = True
                yield info
            yield arrived if has_key else None
        if self._is_network:
            raise CameraError(ProblemCode.CLOSED_BY_CAMERA)

    def _open(self) -> InputContainer:
        url = libav_address.address(self._source)
        started_s = time.monotonic()
        options = libav_address.options(self._source, self._open_timeout_s)
        try:
            return av.open(url, options=options, timeout=(self._open_timeout_s, READ_SLICE_S))
        except (av.FFmpegError, OSError) as error:
            failure = error
        raise self._opening_failed(failure, time.monotonic() - started_s)

    def _opening_failed(self, failure: Exception, took_s: float) -> CameraError:
        if not self._is_network:
            is_missing = isinstance(failure, FileNotFoundError | PermissionError)
            return CameraError(ProblemCode.NO_FILE if is_missing else ProblemCode.NOT_VIDEO)
        code = _known_code(failure, has_login=self._source.credentials is not None)
        if code is None:
            host, port = libav_address.host_and_port(self._source)
            code = diagnose(self._source.url, host, port, DIAGNOSIS_S)
        if code is None:
            code = ProblemCode.NO_ANSWER if took_s >= self._open_timeout_s else ProblemCode.BAD_ANSWER
        return CameraError(code)

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
            asked_s = time.monotonic()
            try:
                for packet in self._container.demux(self._stream):
                    waited_s = time.monotonic() - asked_s
                    if packet.size:
                        yield from self._timed(packet, waited_s)
                    asked_s = time.monotonic()
                yield from self._beginning.end()
                return
            except (av.FFmpegError, OSError) as error:
                code = _reading_failed(error)
            yield from self._beginning.end()
            if code is not None:
                raise CameraError(code)
            yield None

    def _timed(self, packet: "av.Packet[VideoStream]", waited_s: float) -> Iterator[Encoded | None]:
        """The packet, or those that can be told by now; None for one that is broken."""
        raw = self._taken(packet)
        if raw is None:
            yield None
            return
        pts = packet.pts if packet.pts is not None else packet.dts
        known = None if pts is None or packet.time_base is None else round(pts * packet.time_base * 90_000)
        yield from self._beginning.take(known, packet.is_keyframe, raw, waited_s)

    def _taken(self, packet: "av.Packet[VideoStream]") -> bytes | None:
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
        return raw


def _pick_video(container: InputContainer) -> tuple[VideoStream, Codec]:
    """The first stream with video, and its codec."""
    if not container.streams.video:
        raise CameraError(ProblemCode.NOT_VIDEO)
    stream = container.streams.video[0]
    name = stream.codec_context.codec.canonical_name if stream.codec_context else "?"
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
