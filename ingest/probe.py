"""What an installer wants to know of a stream at once: reached, login, codec, size, rates, a picture, what is wrong.

Blocks for at most `timeout_s`, whatever the camera does: the stream is read in a thread of its own, which is left
behind when it hangs (it ends by libav's time-out). Raises nothing; what went wrong is in the report.
"""

import threading
import time
from dataclasses import dataclass
from enum import StrEnum

from devices.model import Credentials, Transport
from ingest.arrival import Encoded
from ingest.camera_errors import CameraError, Problem, ProblemCode
from ingest.decoder import decode_key_frame
from ingest.libav_source import DIAGNOSIS_S, LibavSource
from ingest.packet import Frame, Packet, Stamp, StreamInfo
from ingest.session import StreamSource
from ingest.snapshot import encode_jpeg
from runtime.log import get_logger

TIMEOUT_S = 5.0
REPORT_MARGIN_S = 0.3
"""Kept back for the picture and the report."""

ENOUGH_KEY_FRAMES = 3
LEAST_MEASURED_S = 1.0

_BEFORE_THE_LOGIN = frozenset(
    {
        ProblemCode.HOST_UNKNOWN,
        ProblemCode.UNREACHABLE,
        ProblemCode.REFUSED,
        ProblemCode.NOT_RTSP,
        ProblemCode.NO_ANSWER,
        ProblemCode.BAD_ADDRESS,
        ProblemCode.LOGIN_TOO_LONG,
        ProblemCode.NO_FILE,
    }
)
_NOT_REACHED = _BEFORE_THE_LOGIN - {ProblemCode.NOT_RTSP, ProblemCode.NO_ANSWER}

_log = get_logger(__name__)


class Login(StrEnum):
    """What became of the login."""

    NOT_NEEDED = "not_needed"
    ACCEPTED = "accepted"
    MISSING = "missing"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """`key_interval_s` is None when fewer than two key frames came; `picture` is a JPEG. Figures are measured."""

    reached: bool
    login: Login
    info: StreamInfo | None
    fps: float | None
    key_interval_s: float | None
    bit_rate_bps: float | None
    picture: bytes | None
    problem: Problem | None
    watched_s: float
    took_s: float


def probe(
    url: str,
    credentials: Credentials | None = None,
    transport: Transport = Transport.TCP,
    timeout_s: float = TIMEOUT_S,
) -> ProbeReport:
    """Open the stream, watch it for some seconds, and tell. `url` holds no login."""
    started_s = time.monotonic()
    look = _Look(StreamSource(url, credentials, transport), started_s + timeout_s - REPORT_MARGIN_S)
    thread = threading.Thread(target=look.run, name="probe", daemon=True)
    thread.start()
    thread.join(timeout_s - REPORT_MARGIN_S)
    look.is_over = True
    return look.report(time.monotonic() - started_s)


class _Look:
    """One look at a stream; written by its thread, read by the caller when time is up."""

    def __init__(self, source: StreamSource, deadline_s: float) -> None:
        self._source = source
        self._deadline_s = deadline_s
        self._info: StreamInfo | None = None
        self._frame: Frame | None = None
        self._problem: Problem | None = None
        self._is_through = False
        self._has_media = False
        self._packets: list[tuple[int, bool, int]] = []
        self.is_over = False

    def run(self) -> None:
        try:
            self._watch()
        except CameraError as error:
            self._problem = error.problem
        except Exception as bug:  # noqa: BLE001 - supervision: the report says that it failed
            _log.error("probe failed", exc_info=bug)
            self._problem = Problem(ProblemCode.INTERNAL, type(bug).__name__)

    def _watch(self) -> None:
        remaining_s = self._deadline_s - time.monotonic()
        open_s = max(0.5, remaining_s - DIAGNOSIS_S)
        with LibavSource(self._source, open_timeout_s=open_s, silence_s=remaining_s) as stream:
            self._is_through = True
            for item in stream.items():
                self._has_media = stream.has_media
                if isinstance(item, StreamInfo):
                    self._info = item
                elif isinstance(item, Encoded):
                    self._take(item)
                if self.is_over or time.monotonic() > self._deadline_s or self._has_enough():
                    return

    def _take(self, packet: Encoded) -> None:
        if packet.is_key and self._frame is None and self._info is not None:
            self._frame = decode_key_frame(self._info, Packet(Stamp("", 0, 0), 0, True, packet.raw))
            if self._frame is None:
                raise CameraError(ProblemCode.GARBAGE)
        self._packets.append((packet.pts_90k, packet.is_key, len(packet.raw)))

    def _has_enough(self) -> bool:
        keys = sum(is_key for _, is_key, _ in self._packets)
        return keys >= ENOUGH_KEY_FRAMES and self._watched_s() >= LEAST_MEASURED_S

    def _watched_s(self) -> float:
        packets = self._packets
        return (packets[-1][0] - packets[0][0]) / 90_000 if len(packets) > 1 else 0.0

    def report(self, took_s: float) -> ProbeReport:
        problem = self._problem or self._unfinished()
        code = problem.code if problem else None
        watched_s = self._watched_s()
        return ProbeReport(
            reached=code not in _NOT_REACHED,
            login=self._login(code),
            info=self._info,
            fps=(len(self._packets) - 1) / watched_s if watched_s > 0 else None,
            key_interval_s=self._key_interval_s(),
            bit_rate_bps=self._bit_rate_bps(),
            picture=encode_jpeg(self._frame) if self._frame else None,
            problem=problem,
            watched_s=watched_s,
            took_s=took_s,
        )

    def _unfinished(self) -> Problem | None:
        """What it means that time was up before a picture came."""
        if self._frame is not None:
            return None
        if not self._is_through:
            return Problem(ProblemCode.NO_ANSWER)
        return Problem(ProblemCode.NO_KEY_FRAME if self._has_media else ProblemCode.NO_MEDIA)

    def _login(self, code: ProblemCode | None) -> Login:
        if code is ProblemCode.LOGIN_MISSING:
            return Login.MISSING
        if code is ProblemCode.LOGIN_REFUSED:
            return Login.REFUSED
        if code in _BEFORE_THE_LOGIN or not self._is_through:
            return Login.UNKNOWN
        return Login.ACCEPTED if self._source.credentials else Login.NOT_NEEDED

    def _key_interval_s(self) -> float | None:
        keys = [pts for pts, is_key, _ in self._packets if is_key]
        return (keys[-1] - keys[0]) / 90_000 / (len(keys) - 1) if len(keys) > 1 else None

    def _bit_rate_bps(self) -> float | None:
        """Over whole groups of pictures where there are any: a key frame is as large as ten others."""
        keys = [place for place, (_, is_key, _) in enumerate(self._packets) if is_key]
        first, last = (keys[0], keys[-1]) if len(keys) > 1 else (0, len(self._packets) - 1)
        if last <= first or self._packets[last][0] <= self._packets[first][0]:
            return None
        seconds = (self._packets[last][0] - self._packets[first][0]) / 90_000
        return sum(size for _, _, size in self._packets[first:last]) * 8 / seconds
