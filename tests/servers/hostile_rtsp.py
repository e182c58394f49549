"""Cameras that misbehave: a small RTSP server of ours whose every path is a way to be broken or malicious.

Runs on threads of the test process; `connections(path)` counts what came in. Paths are listed at `HostileRtsp`.
"""

import contextlib
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from tests.servers.footage import footage
from tests.servers.process import HOST
from tests.servers.rtp import PAYLOAD_TYPE, Packetizer, interleaved, pictures

FRAME_S = 0.04
FRAME_90K = 3600
GOOD_START_FRAMES = 30
REQUEST_LIMIT_BYTES = 64 * 1024


class HostileRtsp:
    """`url(path)` where path is one of:

    never-answers      takes the connection and says nothing
    closes-at-once     closes each connection as soon as it is there
    not-rtsp           answers every request in HTTP
    noise              answers every request with random bytes
    endless-header     an answer whose header never ends
    huge-sdp           announces a description of 1 GB and goes on sending it
    no-video           describes a stream with sound alone
    garbage-after      a good H.264 stream for 30 frames, then random bytes instead of RTP
    random-payload     announces H.264; well-formed RTP packets full of random bytes
    wrong-codec        announces H.265 and sends H.264
    no-parameter-sets  H.265 whose parameter sets are neither announced nor sent
    reconnects         a good H.264 stream that closes after 30 frames, each time, for ever
    stalls             a good H.264 stream that goes silent after 30 frames and stays connected
    """

    def __init__(self) -> None:
        self.host = HOST
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self._always: dict[str, tuple[socket.socket, Callable[[socket.socket], None]]] = {
            "never-answers": (socket.create_server((HOST, 0)), _say_nothing),
            "closes-at-once": (socket.create_server((HOST, 0)), lambda _connection: None),
        }

    def url(self, path: str) -> str:
        port = self._always[path][0].getsockname()[1] if path in self._always else self.port
        return f"rtsp://{HOST}:{port}/{path}"

    def connections(self, path: str) -> int:
        """How many connections asked for `path` so far."""
        with self._lock:
            return self._connections[path]

    def __enter__(self) -> Self:
        for path, (listener, behave) in self._always.items():
            threading.Thread(target=self._accept, args=(listener, behave, path), daemon=True).start()
        threading.Thread(target=self._accept, args=(self._listener, self._talk, None), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for listener in [self._listener, *(listener for listener, _ in self._always.values())]:
            listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket, behave: Callable[[socket.socket], None], path: str | None) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, behave, path), daemon=True).start()

    def _serve(self, connection: socket.socket, behave: Callable[[socket.socket], None], path: str | None) -> None:
        with self._lock:
            self._open.add(connection)
            if path:
                self._connections[path] += 1
        try:
            with connection, contextlib.suppress(OSError):
                behave(connection)
        finally:
            with self._lock:
                self._open.discard(connection)

    def _talk(self, connection: socket.socket) -> None:
        path = ""
        for request in _requests(connection):
            method, asked = _first_line(request)
            if not path and asked:
                path = asked
                with self._lock:
                    self._connections[path] += 1
            breaks = _BREAKS.get(path)
            if breaks:
                breaks(connection)
                return
            connection.sendall(_answer(method, path, request))
            if method == "PLAY":
                _PLAYS[path](connection)
                return


def _requests(connection: socket.socket) -> Iterator[bytes]:
    waiting = b""
    while len(waiting) < REQUEST_LIMIT_BYTES:
        received = connection.recv(4096)
        if not received:
            return
        waiting += received
        while b"\r\n\r\n" in waiting:
            request, waiting = waiting.split(b"\r\n\r\n", 1)
            yield request


def _first_line(request: bytes) -> tuple[str, str]:
    words = request.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
    url = words[1] if len(words) > 1 else ""
    found = re.match(r"rtsp://[^/]+/([a-z-]+)", url)
    return words[0], found.group(1) if found else ""


def _answer(method: str, path: str, request: bytes) -> bytes:
    found = re.search(rb"^CSeq: *(\d+)", request, re.IGNORECASE | re.MULTILINE)
    lines = ["RTSP/1.0 200 OK", f"CSeq: {found.group(1).decode() if found else '0'}"]
    body = ""
    if path not in _PLAYS:
        lines[0] = "RTSP/1.0 404 Not Found"
    elif method == "OPTIONS":
        lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
    elif method == "DESCRIBE":
        body = _sdp(path)
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif method == "SETUP" and b"interleaved" not in request:
        lines[0] = "RTSP/1.0 461 Unsupported Transport"
    elif method == "SETUP":
        lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 12345678"]
    else:
        lines.append("Session: 12345678")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def _sdp(path: str) -> str:
    is_h265 = path in {"wrong-codec", "no-parameter-sets"}
    kind, codec = ("audio", "PCMU/8000") if path == "no-video" else ("video", "H265/90000" if is_h265 else "H264/90000")
    lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=camera", f"c=IN IP4 {HOST}", "t=0 0"]
    lines += [f"m={kind} 0 RTP/AVP {PAYLOAD_TYPE}", f"a=rtpmap:{PAYLOAD_TYPE} {codec}"]
    if codec.startswith("H264"):
        lines.append(f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1")
    return "\r\n".join([*lines, "a=control:track1", ""])


def _send_pictures(
    connection: socket.socket, found: list[list[bytes]], frames: int | None, *, is_h265: bool = False
) -> None:
    """Send pictures at their pace, from the first one again when all are sent; `frames` None: for ever."""
    packetizer = Packetizer(is_h265)
    started_s = time.monotonic()
    sent = 0
    while frames is None or sent < frames:
        for packet in packetizer.picture(found[sent % len(found)], sent * FRAME_90K):
            connection.sendall(interleaved(packet))
        sent += 1
        time.sleep(max(0.0, started_s + sent * FRAME_S - time.monotonic()))


def _good_start(connection: socket.socket) -> None:
    _send_pictures(connection, pictures(footage("large")), GOOD_START_FRAMES)


def _garbage_after(connection: socket.socket) -> None:
    _good_start(connection)
    _noise(connection)


def _stalls(connection: socket.socket) -> None:
    _good_start(connection)
    _say_nothing(connection)


def _say_nothing(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def _random_payload(connection: socket.socket) -> None:
    randomness, packetizer, frame = random.Random(1), Packetizer(), 0
    while True:
        for part in range(10):
            payload = randomness.randbytes(randomness.randint(0, 1400))
            connection.sendall(interleaved(packetizer.packet(payload, frame * FRAME_90K, marker=part == 9)))
        frame += 1
        time.sleep(FRAME_S)


def _wrong_codec(connection: socket.socket) -> None:
    _send_pictures(connection, pictures(footage("large")), None)


def _no_parameter_sets(connection: socket.socket) -> None:
    found = pictures(footage("street-h265"), without_parameter_sets=True)
    _send_pictures(connection, found, None, is_h265=True)


def _noise(connection: socket.socket) -> None:
    randomness = random.Random(2)
    while True:
        connection.sendall(randomness.randbytes(20_000))
        time.sleep(FRAME_S)


def _http(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: camera\r\nContent-Length: 0\r\n\r\n")


def _endless_header(connection: socket.socket) -> None:
    connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")
    while True:
        connection.sendall(b"X-More: " + b"a" * 8000 + b"\r\n")
        time.sleep(0.001)


def _huge_sdp(connection: socket.socket) -> None:
    connection.sendall(
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 1000000000\r\n\r\n"
    )
    while True:
        connection.sendall(b"a=x-more:" + b"a" * 8000 + b"\r\n")
        time.sleep(0.001)


_BREAKS: dict[str, Callable[[socket.socket], None]] = {
    "not-rtsp": _http,
    "noise": _noise,
    "endless-header": _endless_header,
    "huge-sdp": _huge_sdp,
}

_PLAYS: dict[str, Callable[[socket.socket], None]] = {
    "garbage-after": _garbage_after,
    "random-payload": _random_payload,
    "wrong-codec": _wrong_codec,
    "no-parameter-sets": _no_parameter_sets,
    "reconnects": _good_start,
    "stalls": _stalls,
    "no-video": _say_nothing,
}
