"""Simulated cameras: an RTSP 1.0 server that plays H.264 files in endless loops, in real time, over TCP interleaved.

For the demo, tests and benches. Runs on the asyncio loop and never blocks it beyond building a packet; a viewer that
does not read loses pictures up to the next key frame. Loopback unless told otherwise; there is no login.
"""

import asyncio
import random
import re
import secrets
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from ingest.rtsp_request import MAX_HEAD_BYTES, RtspRequest, read_request, response
from ingest.simulated_media import TICKS_PER_S, AccessUnit, Media, load_media
from runtime.errors import ConfigurationError, InvalidInputError
from runtime.log import get_logger
from runtime.os_reason import os_reason

MAX_VIEWERS = 256
"""Of all cameras of one server; a bench with a hundred cameras opens as many."""

MAX_UNSENT_BYTES = 4 << 20
"""What a viewer may leave unread: some seconds of a main stream."""

REQUEST_TIMEOUT_S = 90.0
"""A viewer that neither plays nor asks for so long is turned away."""

REPORT_S = 5.0
"""Between RTCP sender reports."""

LATE_S = 1.0
"""Behind by more than this (the machine slept), the camera goes on from now and does not catch up."""

PAYLOAD_TYPE = 96
NTP_EPOCH_S = 2_208_988_800

_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})")
_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
_log = get_logger(__name__)


class _Viewer:
    """One connection: what it has set up, and whether it waits for a key frame."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.channel = 0
        self.session = ""
        self.camera: _SimulatedCamera | None = None
        self.needs_key = True

    @property
    def is_behind(self) -> bool:
        return self.writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES


class _SimulatedCamera:
    """One file, played to all its viewers from one clock: they see the same picture, as with a real camera."""

    def __init__(self, name: str, media: Media) -> None:
        self.name = name
        self.media = media
        self._viewers: set[_Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._ssrc = random.getrandbits(32)
        self._seq = random.getrandbits(16)
        self._base_90k = random.getrandbits(32)
        self._lap_90k = 0
        self._sent = [0, 0]
        self._reported_at_s = 0.0

    def join(self, viewer: _Viewer) -> None:
        viewer.needs_key = True
        self._viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._play(), name=f"simulated camera {self.name}")

    def leave(self, viewer: _Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _play(self) -> None:
        """Lap after lap; nobody watching ends it."""
        loop = asyncio.get_running_loop()
        start_s = loop.time() - self._lap_90k / TICKS_PER_S
        while True:
            for unit in self.media.units:
                due_s = start_s + (self._lap_90k + unit.at_90k) / TICKS_PER_S
                wait_s = due_s - loop.time()
                if wait_s < -LATE_S:
                    start_s -= wait_s
                await asyncio.sleep(max(0.0, wait_s))
                self._send(unit, loop.time())
            self._lap_90k += self.media.duration_90k

    def _send(self, unit: AccessUnit, now_s: float) -> None:
        timestamp = (self._base_90k + self._lap_90k + unit.pts_90k) & 0xFFFFFFFF
        framed: dict[int, bytes] = {}
        report = now_s - self._reported_at_s >= REPORT_S
        for viewer in self._viewers:
            viewer.needs_key = (viewer.needs_key and not unit.is_key) or viewer.is_behind
            if viewer.needs_key:
                continue
            if viewer.channel not in framed:
                framed[viewer.channel] = self._frame(unit, timestamp, viewer.channel, with_report=report)
            viewer.writer.write(framed[viewer.channel])
        self._seq = (self._seq + len(unit.payloads)) & 0xFFFF
        self._sent = [self._sent[0] + len(unit.payloads), self._sent[1] + sum(map(len, unit.payloads))]
        if report:
            self._reported_at_s = now_s

    def _frame(self, unit: AccessUnit, timestamp: int, channel: int, *, with_report: bool) -> bytes:
        """The picture's RTP packets (RFC 3550, 5.1) in interleaved frames (RFC 2326, 10.12)."""
        parts = [self._report(timestamp, channel + 1)] if with_report else []
        last = len(unit.payloads) - 1
        for place, payload in enumerate(unit.payloads):
            marker = 0x80 if place == last else 0
            parts.append(
                struct.pack(
                    ">cBHBBHII",
                    b"$",
                    channel,
                    12 + len(payload),
                    0x80,
                    marker | PAYLOAD_TYPE,
                    (self._seq + place) & 0xFFFF,
                    timestamp,
                    self._ssrc,
                )
            )
            parts.append(payload)
        return b"".join(parts)

    def _report(self, timestamp: int, channel: int) -> bytes:
        """A sender report without report blocks (RFC 3550, 6.4.1)."""
        now_s = time.time() + NTP_EPOCH_S
        seconds, fraction = int(now_s), int(now_s % 1 * 2**32)
        packets, octets = (count & 0xFFFFFFFF for count in self._sent)
        body = struct.pack(">IIIIII", self._ssrc, seconds, fraction, timestamp, packets, octets)
        return struct.pack(">cBHBBH", b"$", channel, 4 + len(body), 0x80, 200, 6) + body


class SimulatedCameras:
    """Cameras on one address; the port is taken when this is made, so that URLs are known before `start`.

    Raises ConfigurationError when the address cannot be listened on.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._host = host
        self._listener = _listen(host, port)
        self._cameras: dict[str, _SimulatedCamera] = {}
        self._viewers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def add(self, name: str, path: Path) -> str:
        """Play the file as a camera; its RTSP URL. Raises ConfigurationError for a file that is not H.264."""
        self._cameras[name] = _SimulatedCamera(name, load_media(path))
        return self.url(name)

    def url(self, name: str) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"rtsp://{host}:{self.port}/{name}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._listener, limit=MAX_HEAD_BYTES)

    async def stop(self) -> None:
        """Hang up on everyone."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for task in set(self._viewers):
            task.cancel()
        if self._viewers:
            await asyncio.wait(self._viewers, timeout=1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        viewer = _Viewer(writer)
        if task is not None:
            self._viewers.add(task)
            task.add_done_callback(self._viewers.discard)
        try:
            if len(self._viewers) > MAX_VIEWERS:
                writer.write(response(503, ""))
                return
            while (request := await self._next(reader, viewer)) is not None:
                writer.write(self._answer(request, viewer))
                await writer.drain()
        except InvalidInputError as error:
            _log.debug("viewer turned away", reason=str(error))
            writer.write(response(400, ""))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the viewer is gone
        except asyncio.CancelledError:
            pass  # stopping; this task belongs to the server, nobody awaits its cancellation
        finally:
            self._hang_up(viewer)

    async def _next(self, reader: asyncio.StreamReader, viewer: _Viewer) -> RtspRequest | None:
        timeout_s = None if viewer.camera else REQUEST_TIMEOUT_S
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await read_request(reader)
        return None

    def _hang_up(self, viewer: _Viewer) -> None:
        if viewer.camera is not None:
            viewer.camera.leave(viewer)
        viewer.writer.close()

    def _answer(self, request: RtspRequest, viewer: _Viewer) -> bytes:
        cseq = request.headers.get("cseq", "")
        match request.method:
            case "OPTIONS":
                return response(200, cseq, {"Public": _METHODS})
            case "GET_PARAMETER" | "SET_PARAMETER":
                return response(200, cseq, {"Session": viewer.session} if viewer.session else None)
            case "TEARDOWN":
                self._stop_playing(viewer)
                return response(200, cseq)
            case "DESCRIBE" | "SETUP" | "PLAY":
                camera = self._cameras.get(request.path.split("/")[0])
                return self._answer_for(camera, request, viewer) if camera else response(404, cseq)
            case _:
                return response(501, cseq)

    def _answer_for(self, camera: _SimulatedCamera, request: RtspRequest, viewer: _Viewer) -> bytes:
        cseq = request.headers.get("cseq", "")
        if request.method == "DESCRIBE":
            headers = {"Content-Base": f"{self.url(camera.name)}/", "Content-Type": "application/sdp"}
            return response(200, cseq, headers, _sdp(camera, self._host))
        if request.method == "SETUP":
            return _set_up(request, viewer, cseq)
        if not viewer.session:
            return response(455, cseq)
        if request.headers.get("session", "").partition(";")[0] != viewer.session:
            return response(454, cseq)
        self._stop_playing(viewer)
        viewer.camera = camera
        # Its pictures come from another task, so after this answer, which is written without a pause in between.
        camera.join(viewer)
        return response(200, cseq, {"Session": viewer.session, "Range": "npt=0-"})

    def _stop_playing(self, viewer: _Viewer) -> None:
        if viewer.camera is not None:
            viewer.camera.leave(viewer)
            viewer.camera = None


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port} for simulated cameras: {os_reason(error)}") from None


def _sdp(camera: _SimulatedCamera, host: str) -> str:
    family = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0",
        f"o=- 0 0 IN {family} {host}",
        f"s={camera.name}",
        f"c=IN {family} {host}",
        "t=0 0",
        "a=control:*",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} H264/{TICKS_PER_S}",
        f"a=fmtp:{PAYLOAD_TYPE} {camera.media.fmtp}",
        "a=control:trackID=0",
    )
    return "\r\n".join(lines) + "\r\n"


def _set_up(request: RtspRequest, viewer: _Viewer, cseq: str) -> bytes:
    transport = request.headers.get("transport", "")
    channels = _INTERLEAVED.search(transport)
    if "RTP/AVP/TCP" not in transport:
        return response(461, cseq)
    channel = min(254, int(channels[1])) if channels else 0
    viewer.channel = channel
    viewer.session = viewer.session or secrets.token_hex(8)
    headers = {
        "Transport": f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}",
        "Session": f"{viewer.session};timeout=60",
    }
    return response(200, cseq, headers)
