"""Byte streams cut into RTP packets (RFC 6184, RFC 7798), for the servers of ours that misbehave on purpose."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_PAYLOAD_BYTES = 1400
PAYLOAD_TYPE = 96
FU_A, FU_H265 = 28, 49
H265_PARAMETER_SETS = frozenset({32, 33, 34})


def nal_units(byte_stream: bytes) -> list[bytes]:
    """The NAL units of an Annex B byte stream."""
    units = re.split(rb"\x00\x00\x01", byte_stream)[1:]
    return [unit.rstrip(b"\x00") for unit in units]


def pictures(path: Path, *, without_parameter_sets: bool = False) -> list[list[bytes]]:
    """The NAL units of each picture; the coder writes one slice a picture."""
    is_h265 = path.suffix == ".h265"
    found: list[list[bytes]] = []
    waiting: list[bytes] = []
    for unit in nal_units(path.read_bytes()):
        kind = (unit[0] >> 1) & 0x3F if is_h265 else unit[0] & 0x1F
        if without_parameter_sets and is_h265 and kind in H265_PARAMETER_SETS:
            continue
        waiting.append(unit)
        if kind < 32 if is_h265 else kind in {1, 5}:
            found.append(waiting)
            waiting = []
    return found


@dataclass
class Packetizer:
    """RTP packets with running sequence numbers."""

    is_h265: bool = False
    ssrc: int = 0x5A5A0001
    sequence: int = 1000

    def packet(self, payload: bytes, timestamp_90k: int, *, marker: bool) -> bytes:
        second = PAYLOAD_TYPE | (0x80 if marker else 0)
        header = struct.pack(">BBHII", 0x80, second, self.sequence & 0xFFFF, timestamp_90k & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        return header + payload

    def picture(self, units: list[bytes], timestamp_90k: int) -> Iterator[bytes]:
        """The packets of one picture, the last one marked."""
        for index, unit in enumerate(units):
            pieces = list(self._payloads(unit))
            for number, payload in enumerate(pieces):
                is_last = index == len(units) - 1 and number == len(pieces) - 1
                yield self.packet(payload, timestamp_90k, marker=is_last)

    def _payloads(self, unit: bytes) -> Iterator[bytes]:
        if len(unit) <= MAX_PAYLOAD_BYTES:
            yield unit
            return
        header_bytes = 2 if self.is_h265 else 1
        body = unit[header_bytes:]
        for start in range(0, len(body), MAX_PAYLOAD_BYTES):
            piece = body[start : start + MAX_PAYLOAD_BYTES]
            edges = (0x80 if start == 0 else 0) | (0x40 if start + MAX_PAYLOAD_BYTES >= len(body) else 0)
            if self.is_h265:
                kind = (unit[0] >> 1) & 0x3F
                yield bytes([(unit[0] & 0x81) | (FU_H265 << 1), unit[1], edges | kind]) + piece
            else:
                yield bytes([(unit[0] & 0xE0) | FU_A, edges | (unit[0] & 0x1F)]) + piece


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    """A packet as RTSP carries it inside its own connection."""
    return b"$" + struct.pack(">BH", channel, len(packet)) + packet
