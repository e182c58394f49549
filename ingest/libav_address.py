"""What libav is given to open: the address with its login, checked, and the options that bound what it does.

The only place where a password stands in a URL; the URL goes into libav's call and nowhere else.
"""

from pathlib import Path
from urllib.parse import urlsplit

from devices.login import join_login
from devices.model import Transport
from ingest.camera_errors import CameraError, ProblemCode
from ingest.session import StreamSource

MAX_LOGIN_CHARS = 127
"""libav keeps "user:password", percent-encoded, in 128 bytes and cuts off the rest without a word."""

NETWORK_SCHEMES = frozenset({"rtsp", "rtsps"})

FILE_FORMATS = "mov,matroska,avi,mpegts,mpeg,dhav,asf,flv,ogg,mpegvideo,m4v,h264,hevc,mjpeg,ivf"
"""What recorders export (mpeg and dhav: Hikvision and Dahua) and people send. No playlists and scripts: those make
libav open other files and addresses."""

SOCKET_BUFFER_BYTES = 1 << 20
"""A key frame over UDP comes as a burst of 200 kB and more; the usual 208 kB lose it."""

ANALYZE_US = 1_500_000
"""libav reads this far ahead for what the SDP leaves out; the packets are kept."""

MAX_PROBE_BYTES = 4 << 20


def is_network(source: StreamSource) -> bool:
    """Whether the source is a camera (RTSP), not a file. BAD_ADDRESS for anything that is neither."""
    scheme, separator, _ = source.url.partition("://")
    if not separator:
        return False
    if scheme.lower() not in NETWORK_SCHEMES:
        raise CameraError(ProblemCode.BAD_ADDRESS)
    return True


def host_and_port(source: StreamSource) -> tuple[str, int]:
    """Where the RTSP server is; BAD_ADDRESS when the URL does not say."""
    try:
        parts = urlsplit(source.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise CameraError(ProblemCode.BAD_ADDRESS) from None
    if not host:
        raise CameraError(ProblemCode.BAD_ADDRESS)
    return host, port or (322 if parts.scheme.lower() == "rtsps" else 554)


def address(source: StreamSource) -> str:
    """The URL with the login inside, or the file's path."""
    if not is_network(source):
        if not Path(source.url).is_file():
            raise CameraError(ProblemCode.NO_FILE)
        return f"file:{source.url}"
    host_and_port(source)
    if source.credentials is None:
        return source.url
    login = join_login("", source.credentials).strip(":/@")
    if len(login) > MAX_LOGIN_CHARS:
        raise CameraError(ProblemCode.LOGIN_TOO_LONG)
    return join_login(source.url, source.credentials)


def options(source: StreamSource, timeout_s: float) -> dict[str, str]:
    """libav's options for opening `source`."""
    bounds = {"analyzeduration": str(ANALYZE_US), "probesize": str(MAX_PROBE_BYTES), "fpsprobesize": "0"}
    if not is_network(source):
        return bounds | {"protocol_whitelist": "file", "format_whitelist": FILE_FORMATS}
    return bounds | {
        "rtsp_transport": "udp" if source.transport is Transport.UDP else "tcp",
        "allowed_media_types": "video",
        "timeout": str(round(timeout_s * 1e6)),
        "buffer_size": str(SOCKET_BUFFER_BYTES),
        "protocol_whitelist": "rtsp,rtsps,tcp,udp,rtp,tls",
    }
