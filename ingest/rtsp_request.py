"""RTSP 1.0 requests as a server reads them from a stream, and its responses (RFC 2326). Bounded; runs on the loop.

Interleaved packets of the client are skipped. Raises `InvalidInputError` for what is no request.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.errors import InvalidInputError

MAX_HEAD_BYTES = 8 << 10
"""Real requests stay below 1 kB, a long digest included; also the limit to give the stream reader."""

MAX_BODY_BYTES = 4 << 10
"""Only SET_PARAMETER and GET_PARAMETER have one, of a line or two."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid In This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class RtspRequest:
    """Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path of the URL, without slashes around it."""
        _, _, rest = self.url.partition("://")
        return rest.partition("/")[2].partition("?")[0].strip("/")


async def read_request(reader: asyncio.StreamReader) -> RtspRequest | None:
    """The next request; None at the end of the stream."""
    try:
        first = await reader.readexactly(1)
        while first == b"$":
            head = await reader.readexactly(3)
            await reader.readexactly(int.from_bytes(head[1:], "big"))
            first = await reader.readexactly(1)
        head = first + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise InvalidInputError("the request is too long") from None
    request = _parse(head)
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 6 or int(length) > MAX_BODY_BYTES:
        raise InvalidInputError("the request's body is too long")
    await reader.readexactly(int(length))
    return request


def _parse(head: bytes) -> RtspRequest:
    try:
        first, *lines = head.decode("utf-8").strip().split("\r\n")
        method, url, version = first.split(" ")
        named = (line.split(":", 1) for line in lines)
        headers = {name.strip().lower(): value.strip() for name, value in named}
    except (UnicodeDecodeError, ValueError):
        raise InvalidInputError("not an RTSP request") from None
    if version != "RTSP/1.0":
        raise InvalidInputError("not an RTSP 1.0 request")
    return RtspRequest(method, url, headers)


def response(code: int, cseq: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    """A response as it goes over the wire. `cseq` is repeated only if it is a number: it comes from outside."""
    lines = [f"RTSP/1.0 {code} {REASONS[code]}"]
    if cseq.isascii() and cseq.isdigit():
        lines.append(f"CSeq: {cseq[:10]}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
