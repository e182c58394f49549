"""The two MQTT packets that come by the thousand, PUBLISH and PUBACK, read and written here; all others are paho's.

paho spends about 100 us on a QoS 1 message in or out, this about 4. `FrameReader` also bounds memory: of a PUBLISH
that is too large only the beginning is kept, so that it can be acknowledged and refused. Runs on the network thread;
raises `BrokenStreamError` when the broker sends what no broker may, after which the connection is of no use.
"""

import struct
from typing import NamedTuple

from runtime.errors import UnavailableError

MAX_FRAME_BYTES = 72 * 1024
"""Room for the longest topic (64 KiB), the packet id and more payload than any device may send."""

_PUBLISH = 0x30
_PUBACK = 0x40
_TYPE_MASK = 0xF0
_DUP = 0x08
_QOS_MASK = 0x06
_QOS_1 = 0x02
_RETAIN = 0x01
_MAX_LENGTH_DIGITS = 4

_pack_puback = struct.Struct("!BBH").pack
_unpack_u16 = struct.Struct("!H").unpack_from
_pack_u16 = struct.Struct("!H").pack


class BrokenStreamError(UnavailableError):
    """The broker does not speak MQTT as the standard has it: the connection is given up and made again."""


class Published(NamedTuple):
    """A message a client has published. `packet_id` is 0 for QoS 0, which needs no answer."""

    topic: str
    payload: bytes
    retained: bool
    packet_id: int


class Received(NamedTuple):
    """What a chunk of the stream held: messages, packet ids the broker has taken, and whole packets for paho."""

    published: list[Published]
    taken: list[int]
    others: bytes


class FrameReader:
    """One connection's stream; `feed` each chunk in order."""

    def __init__(self, *, is_v5: bool) -> None:
        self._is_v5 = is_v5
        self._held = b""
        self._skipping_bytes = 0

    def feed(self, chunk: bytes) -> Received:
        """The packets that are complete now; the beginning of the next one is held, at most `MAX_FRAME_BYTES`."""
        received = Received([], [], b"")
        others: list[bytes] = []
        data = self._held + chunk if self._held else chunk
        end = len(data)
        start = min(self._skipping_bytes, end)
        self._skipping_bytes -= start
        while start < end:
            length, body = _remaining_length(data, start)
            kept_end = body + min(length, MAX_FRAME_BYTES)
            if body == 0 or kept_end > end:
                break
            kind = data[start] & _TYPE_MASK
            if kind == _PUBLISH:
                received.published.append(self._published(data[start], data[body:kept_end]))
            elif length > MAX_FRAME_BYTES:
                raise BrokenStreamError(f"the broker sent a packet of type {kind >> 4} with {length} bytes")
            elif kind == _PUBACK and length >= 2:
                received.taken.append(_unpack_u16(data, body)[0])
            else:
                others.append(data[start:kept_end])
            start = min(body + length, end)
            self._skipping_bytes = body + length - start
        self._held = data[start:]
        return received._replace(others=b"".join(others)) if others else received

    def _published(self, first_byte: int, body: bytes) -> Published:
        """MQTT 3.1.1, 3.3 and MQTT 5, 3.3.2: topic, packet id unless QoS 0, properties in version 5, payload."""
        try:
            topic_end = 2 + _unpack_u16(body, 0)[0]
            at, packet_id = topic_end, 0
            if first_byte & _QOS_MASK:
                packet_id = _unpack_u16(body, topic_end)[0]
                at += 2
            if self._is_v5:
                length, properties = _remaining_length(body, at - 1)
                if properties == 0:
                    raise BrokenStreamError("the broker sent a PUBLISH that ends in its properties")
                at = properties + length
        except struct.error:
            raise BrokenStreamError("the broker sent a PUBLISH that ends in its header") from None
        topic = body[2:topic_end].decode("utf-8", "replace")
        return Published(topic, body[at:], bool(first_byte & _RETAIN), packet_id)


def publish_packet(topic: str, payload: bytes, packet_id: int, *, is_v5: bool, again: bool = False) -> bytes:
    """A PUBLISH with QoS 1, not retained; `again` marks one that may have been received before."""
    name = topic.encode()
    header = _pack_u16(len(name)) + name + _pack_u16(packet_id) + (b"\0" if is_v5 else b"")
    first_byte = _PUBLISH | _QOS_1 | (_DUP if again else 0)
    return bytes([first_byte]) + _length_digits(len(header) + len(payload)) + header + payload


def puback_packet(packet_id: int) -> bytes:
    """The answer to a PUBLISH with QoS 1; without a reason code it is the same in both versions."""
    return _pack_puback(_PUBACK, 2, packet_id)


def _remaining_length(data: bytes, start: int) -> tuple[int, int]:
    """The length in the fixed header at `start` and where the body begins; (0, 0) while the header is incomplete.

    MQTT 3.1.1, 2.2.3: base 128, least significant digit first, high bit set on all but the last of at most four.
    """
    length = 0
    for digit in range(_MAX_LENGTH_DIGITS):
        at = start + 1 + digit
        if at >= len(data):
            return 0, 0
        length |= (data[at] & 0x7F) << (7 * digit)
        if data[at] < 0x80:
            return length, at + 1
    raise BrokenStreamError("the broker sent a packet whose length has more than four digits")


def _length_digits(length: int) -> bytes:
    digits = bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(digits)
