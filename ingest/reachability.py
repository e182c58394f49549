"""Why an RTSP server cannot be talked to, asked step by step with plain sockets: name, network, port, protocol.

Used where libav says no more than "invalid data". Blocks for at most the time given; sends one OPTIONS request.
"""

import errno
import socket
import time
from urllib.parse import quote

from ingest.camera_errors import ProblemCode

MAX_ANSWER_BYTES = 1024
_REQUEST = "OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: sharpeyes\r\n\r\n"
_URL_CHARS = "%/:?#[]@!$&'()*+,;=~-._"
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EINVAL}


def diagnose(url: str, host: str, port: int, timeout_s: float) -> ProblemCode | None:
    """What stands between this machine and an RTSP server there; None when it answers as one should.

    `url` holds no login.
    """
    deadline_s = time.monotonic() + timeout_s
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            return _ask(connection, url, deadline_s)
    except socket.gaierror:
        return ProblemCode.HOST_UNKNOWN
    except ConnectionRefusedError:
        return ProblemCode.REFUSED
    except TimeoutError:
        return ProblemCode.UNREACHABLE
    except OSError as error:
        return ProblemCode.UNREACHABLE if error.errno in _UNREACHABLE else ProblemCode.CLOSED_BY_CAMERA


def _ask(connection: socket.socket, url: str, deadline_s: float) -> ProblemCode | None:
    try:
        connection.settimeout(max(0.05, deadline_s - time.monotonic()))
        connection.sendall(_REQUEST.format(url=quote(url, safe=_URL_CHARS)).encode(errors="replace"))
        answer = connection.recv(MAX_ANSWER_BYTES)
    except TimeoutError:
        return ProblemCode.NO_ANSWER
    except OSError:
        return ProblemCode.CLOSED_BY_CAMERA
    if not answer:
        return ProblemCode.CLOSED_BY_CAMERA
    return None if answer.startswith(b"RTSP/") else ProblemCode.NOT_RTSP
