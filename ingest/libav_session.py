"""The session contract by libav, with a thread of its own: RTSP cameras, and files as fast as they go or paced.

In: a `StreamSource`. Out: the listener's calls, from the session's thread, which ends with the session. It notices
`stop` within READ_SLICE_S; while libav opens a connection, only when that is through or has timed out.
"""

import threading
import time

from ingest.arrival import Encoded
from ingest.camera_errors import CameraError, ProblemCode
from ingest.libav_source import LibavSource
from ingest.packet import StreamInfo
from ingest.session import SessionListener, StreamSource
from runtime.log import get_logger

_log = get_logger(__name__)


class LibavSession:
    """`silence_s`: how long a camera may take to answer or pause. `is_paced`: a file plays in its own time."""

    def __init__(self, name: str, source: StreamSource, *, silence_s: float = 5.0, is_paced: bool = False) -> None:
        self._name = name
        self._source = source
        self._silence_s = silence_s
        self._pace = _Pace() if is_paced else None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, listener: SessionListener) -> None:
        """Begin in a thread of its own."""
        self._thread = threading.Thread(target=self._run, args=(listener,), name=f"session-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; `ended(None)` follows."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Wait until the thread has ended; False when it has not in time."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _run(self, listener: SessionListener) -> None:
        error: CameraError | None = None
        try:
            self._read(listener)
        except CameraError as found:
            error = found
        except Exception as bug:  # noqa: BLE001 - supervision: a session that fails costs its own camera only
            _log.error("session failed", session=self._name, exc_info=bug)
            error = CameraError(ProblemCode.INTERNAL, type(bug).__name__)
        listener.ended(None if self._stopping.is_set() else error)

    def _read(self, listener: SessionListener) -> None:
        with LibavSource(self._source, open_timeout_s=self._silence_s, silence_s=self._silence_s) as source:
            for item in source.items():
                if self._stopping.is_set():
                    return
                if isinstance(item, StreamInfo):
                    listener.opened(item)
                elif item is not None:
                    self._hand_over(item, listener)

    def _hand_over(self, packet: Encoded, listener: SessionListener) -> None:
        if self._pace is not None and self._stopping.wait(self._pace.delay_s(packet.pts_90k)):
            return
        listener.packet(packet.pts_90k, packet.is_key, packet.raw, packet.age_s)


class _Pace:
    """How long to wait so that stream time passes as fast as time."""

    def __init__(self) -> None:
        self._start: tuple[int, float] | None = None

    def delay_s(self, pts_90k: int) -> float:
        now_s = time.monotonic()
        if self._start is None:
            self._start = (pts_90k, now_s)
        return max(0.0, self._start[1] + (pts_90k - self._start[0]) / 90_000 - now_s)
