"""Cameras that behave: GStreamer's RTSP server with real footage, over TCP and UDP, with and without login."""

import json
import socket
from pathlib import Path
from urllib.parse import quote

from tests.servers.cache import MissingServerError
from tests.servers.footage import STREAMS, footage
from tests.servers.process import HOST, ServerProcess, free_port

SYSTEM_PYTHON = "/usr/bin/python3"
SCRIPT = Path(__file__).with_name("gst_rtsp.py")

STALLS_AFTER_S = 3
"""The mount `stalls` sends nothing from here on."""


class RtspServer(ServerProcess):
    """`url(mount)` of a camera; every mount on three ports: without login, with digest, with basic login.

    street        1080p25 H.264, 4 Mbit/s, key frame each 2 s, High profile, no B-frames; pedestrians; loops after 40 s
    street-sub    the same picture, 704x576, 15 fps, 768 kbit/s (the same normalised coordinates as `street`)
    street-h265   the same picture, 704x400, 15 fps, H.265
    still         1080p25 4 Mbit/s of the same scene standing still under moving sensor noise
    still-sub     the same, 704x576, 15 fps, 768 kbit/s
    large         1280x720, 25 fps, key frame each second, loops after 3 s: quick to start
    resize        3 s of 1280x720, then 3 s of 640x360, and so on
    stalls        `large` that goes silent after STALLS_AFTER_S without closing
    ends          `large` that ends properly after 3 s

    `MOUNT-1` to `MOUNT-40` are sources of their own with the same footage, for many cameras at once. All but `stalls`
    and `ends` are shared: a client that comes later joins the stream where it is. `freeze` silences
    all cameras at once.
    """

    name = "rtsp"
    user = "viewer"
    password = "s:e@c/r%t"
    """With the characters that break hand-made URLs."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._ports = {"none": self.port, "digest": free_port(), "basic": free_port()}

    def url(self, mount: str, *, login: str = "none", user: str | None = None, password: str | None = None) -> str:
        """The RTSP URL of a mount; `login` is "none", "digest" or "basic"; right credentials unless given others."""
        credentials = ""
        if login != "none":
            name = quote(self.user if user is None else user, safe="")
            credentials = f"{name}:{quote(self.password if password is None else password, safe='')}@"
        return f"rtsp://{credentials}{HOST}:{self._ports[login]}/{mount}"

    def url_without_login(self, mount: str, login: str = "digest") -> str:
        """The URL of a mount that asks for a login, without one."""
        return f"rtsp://{HOST}:{self._ports[login]}/{mount}"

    def command(self) -> list[str]:
        if not Path(SYSTEM_PYTHON).exists():
            raise MissingServerError("GStreamer's RTSP server (the system's python3)")
        config = {
            "open_port": self.port,
            "digest_port": self._ports["digest"],
            "basic_port": self._ports["basic"],
            "user": self.user,
            "password": self.password,
            "mounts": _mounts(),
        }
        return [SYSTEM_PYTHON, str(SCRIPT), json.dumps(config)]

    def is_ready(self) -> bool:
        return all(_answers_options(port) for port in self._ports.values())


def _answers_options(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            return connection.recv(64).startswith(b"RTSP/1.0 ")
    except OSError:
        return False


def _mounts() -> list[dict[str, object]]:
    mounts = [_mount(stream.name, stream.name, stream.codec, stream.fps) for stream in STREAMS]
    mounts.append(_mount("resize", "resize", "h264", 25))
    mounts.append(_mount("stalls", "large", "h264", 25) | {"stalls_after_s": STALLS_AFTER_S})
    mounts.append(_mount("ends", "large", "h264", 25) | {"loops": False})
    return mounts


def _mount(path: str, stream: str, codec: str, fps: int) -> dict[str, object]:
    file = str(footage(stream))
    return {"path": path, "file": file, "codec": codec, "fps": fps, "loops": True, "stalls_after_s": None}
