"""A recorded file or a URL through a ring and a decode policy, in the caller's thread, nothing dropped.

Each packet is decoded on before the next is read, so a file runs as fast as the caller takes frames. Raises
`CameraError` when the source cannot be opened or read, at the end of a camera's session as well.
"""

from collections.abc import Iterator
from typing import Protocol

from ingest.arrival import Encoded
from ingest.decode_policy import Decoded
from ingest.libav_source import LibavSource
from ingest.packet import Packet, Stamp, StreamInfo
from ingest.ring import PacketRing
from ingest.session import StreamSource
from ingest.wall_time import Timeline

SILENCE_S = 5.0


class Policy(Protocol):
    """`FramePolicy` or `EveryFrame`."""

    @property
    def waiting(self) -> int: ...
    def step(self) -> list[Decoded]: ...
    def drain(self) -> list[Decoded]: ...


def play(camera_id: str, source: StreamSource, ring: PacketRing, policy: Policy, times: Timeline) -> Iterator[Decoded]:
    """The frames that `policy` takes from `source`, to its end; packets go into `ring` as those of `camera_id`."""
    with LibavSource(source, open_timeout_s=SILENCE_S, silence_s=SILENCE_S) as stream:
        seq = 0
        for item in stream.items():
            if isinstance(item, StreamInfo):
                ring.begin_session(item)
            elif isinstance(item, Encoded):
                stamp = Stamp(camera_id, seq, times.stamp_ns(item.pts_90k))
                ring.append(Packet(stamp, item.pts_90k, item.is_key, item.raw))
                seq += 1
            while policy.waiting > 0:
                yield from policy.step()
    yield from policy.drain()
