"""The session contract: one connection to one stream, from its opening to its end.

A session describes the stream, then hands over encoded packets, in stream order, from a thread of its own.
Implementations: `ingest.libav_session`. Whoever opens sessions again after their end is the receiver, not the session.
"""

from dataclasses import dataclass
from typing import Protocol

from devices.model import Credentials, Transport
from ingest.camera_errors import CameraError
from ingest.packet import StreamInfo

MAX_PACKET_BYTES = 8 << 20
"""An 8K key frame at the best quality stays below 4 MB; more is a broken or hostile stream."""

MAX_PIXELS = 7680 * 4320
"""8K: a decoder takes 1.5 bytes a pixel and picture, so this bounds one to some hundred MB."""

MAX_SIDE_PX = 8192

MAX_EXTRADATA_BYTES = 64 << 10
"""Parameter sets take 30 to 300 bytes; with every scaling list in use a few kB."""

MIN_SIDE_PX = 32
"""Smaller pictures come from damaged parameter sets, not from cameras."""

KEY_FRAME_WAIT_S = 12.0
"""Longer than the group of pictures of any usual camera setting (1 to 10 s)."""


@dataclass(frozen=True, slots=True)
class StreamSource:
    """Where a stream is. `url` holds no login; a path without a scheme is a file."""

    url: str
    credentials: Credentials | None = None
    transport: Transport = Transport.TCP


class SessionListener(Protocol):
    """Who hears a session. All calls come from one thread, one after the other, and must return soon."""

    def opened(self, info: StreamInfo) -> None:
        """The packets from here on are as `info` says; called again when the stream changes under way.

        `info.extradata` is in Annex B form, and the next packet is a key frame.
        """

    def packet(self, pts_90k: int, is_key: bool, raw: bytes, age_s: float = 0.0) -> None:
        """One access unit in Annex B form, at most MAX_PACKET_BYTES, that reached this machine `age_s` ago."""

    def ended(self, error: CameraError | None) -> None:
        """The last call, exactly one: None when the stream came to its end (a file) or `stop` was called."""


class Session(Protocol):
    def start(self, listener: SessionListener) -> None:
        """Begin in the background; returns at once. A session starts once."""

    def stop(self) -> None:
        """Ask it to end; returns at once. `ended` follows within 1 s, or when an opening under way times out."""
