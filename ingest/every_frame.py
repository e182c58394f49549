"""The policy that decodes everything: no gate, no sampling, for accuracy measurements on recordings.

In: packets pulled from a ring. Out: every frame, in order. No thread of its own: `step` decodes all that waits, in the
caller's. Damaged packets are counted by the decoder, never raised.
"""

from ingest.decode_policy import Decoded, Mode
from ingest.decoder import Decoder
from ingest.packet import Frame
from ingest.ring import PacketRing


class EveryFrame:
    """Steps like `FramePolicy`; each frame counts as a live one."""

    def __init__(self, ring: PacketRing) -> None:
        self._ring = ring
        self._cursor = ring.tail
        self._epoch = -1
        self._decoder: Decoder | None = None
        self._decoded = 0

    @property
    def decoded(self) -> int:
        """Pictures decoded so far."""
        return self._decoded

    @property
    def waiting(self) -> int:
        """Packets in the ring that `step` has not looked at yet."""
        return self._ring.head - self._cursor

    def step(self) -> list[Decoded]:
        """All frames of the packets in the ring since the last step."""
        decoded: list[Decoded] = []
        while (batch := self._ring.read(self._cursor)).packets:
            if batch.epoch != self._epoch and batch.info is not None:
                decoded += self.drain()
                self._epoch, self._decoder = batch.epoch, Decoder(batch.info, skips_loop_filter=False)
            self._cursor = batch.next_index
            assert self._decoder is not None
            for packet in batch.packets:
                decoded += self._give(self._decoder.decode(packet))
        return decoded

    def drain(self) -> list[Decoded]:
        """The frames still held back at the end of the stream."""
        if self._decoder is None:
            return []
        frames, self._decoder = self._decoder.drain(), None
        return self._give(frames)

    def _give(self, frames: list[Frame]) -> list[Decoded]:
        self._decoded += len(frames)
        return [(frame, Mode.ACTIVE) for frame in frames]
