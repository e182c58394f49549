"""NAL units of H.264 and H.265: Annex B (start codes) from either form, and the parameter sets of a stream.

Pure functions on bytes. Broken length fields or configuration records raise `InvalidInputError`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.packet import Codec
from runtime.errors import InvalidInputError

START_CODE = b"\x00\x00\x00\x01"
_SHORT_CODE = b"\x00\x00\x01"

_H264_PARAMETER_SETS = frozenset({7, 8})
_H265_PARAMETER_SETS = frozenset({32, 33, 34})

MAX_PARAMETER_SETS = 64
"""A stream has 2 or 3 as a rule; the records could claim thousands."""


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """What `StreamInfo.extradata` says: the sets in Annex B form, perhaps empty.

    `length_bytes` is the size of the length field before each NAL unit of the packets; None: they are in Annex B.
    """

    annex_b: bytes
    length_bytes: int | None


def read_extradata(codec: Codec, extradata: bytes) -> ParameterSets:
    """Parse extradata in either form; an empty one means parameter sets come in the packets, in Annex B."""
    if not extradata or extradata.startswith((START_CODE, _SHORT_CODE)):
        return ParameterSets(extradata, None)
    if extradata[0] != 1:
        raise InvalidInputError(f"{codec}: the stream's parameter sets are in no known form")
    try:
        units, length_bytes = _read_avcc(extradata) if codec is Codec.H264 else _read_hvcc(extradata)
    except IndexError:
        raise InvalidInputError(f"{codec}: the stream's parameter sets are cut short") from None
    return ParameterSets(join_annex_b(units), length_bytes)


def to_annex_b(raw: bytes, length_bytes: int | None) -> bytes:
    """The packet with start codes. `length_bytes` as in `ParameterSets`; Annex B comes back as it is.

    A packet whose lengths do not add up but that begins with a start code is taken for Annex B, because some
    sources describe one form and send the other.
    """
    if length_bytes is None:
        if raw.startswith((START_CODE, _SHORT_CODE)):
            return raw
        length_bytes = 4
    try:
        return join_annex_b(_split_by_length(raw, length_bytes))
    except InvalidInputError:
        if raw.startswith((START_CODE, _SHORT_CODE)):
            return raw
        raise


def split_annex_b(raw: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B packet, without start codes and trailing zeros."""
    start = raw.find(_SHORT_CODE)
    while start >= 0:
        start += 3
        end = raw.find(_SHORT_CODE, start)
        unit = (raw[start:end] if end >= 0 else raw[start:]).rstrip(b"\x00")
        if unit:
            yield unit
        start = end


def join_annex_b(units: Iterable[bytes]) -> bytes:
    """The NAL units behind each other, with start codes."""
    return b"".join(START_CODE + unit for unit in units)


def parameter_set_units(codec: Codec, annex_b: bytes) -> list[bytes]:
    """The SPS and PPS (and VPS) among the NAL units that stand before the first picture slice."""
    found = []
    for unit in split_annex_b(annex_b):
        if _is_parameter_set(codec, unit):
            found.append(unit)
        elif _is_slice(codec, unit):
            break
    return found


def has_all_parameter_sets(codec: Codec, units: list[bytes]) -> bool:
    """Whether a decoder could start with these."""
    wanted = _H264_PARAMETER_SETS if codec is Codec.H264 else _H265_PARAMETER_SETS
    return wanted <= {nal_type(codec, unit) for unit in units}


def nal_type(codec: Codec, unit: bytes) -> int:
    """The type field of a NAL unit's header."""
    return unit[0] & 0x1F if codec is Codec.H264 else unit[0] >> 1 & 0x3F


def _is_parameter_set(codec: Codec, unit: bytes) -> bool:
    return nal_type(codec, unit) in (_H264_PARAMETER_SETS if codec is Codec.H264 else _H265_PARAMETER_SETS)


def _is_slice(codec: Codec, unit: bytes) -> bool:
    return nal_type(codec, unit) in (range(1, 6) if codec is Codec.H264 else range(32))


def _split_by_length(raw: bytes, length_bytes: int) -> Iterator[bytes]:
    place = 0
    while place < len(raw):
        size = int.from_bytes(raw[place : place + length_bytes], "big")
        place += length_bytes
        if size == 0 or place + size > len(raw):
            raise InvalidInputError("a packet's NAL unit lengths do not add up")
        yield raw[place : place + size]
        place += size


def _read_avcc(record: bytes) -> tuple[list[bytes], int]:
    """ISO 14496-15, 5.3.3.1: AVCDecoderConfigurationRecord."""
    units: list[bytes] = []
    place = _take_units(record, 6, record[5] & 0x1F, units)
    _take_units(record, place + 1, record[place], units)
    return units, (record[4] & 3) + 1


def _read_hvcc(record: bytes) -> tuple[list[bytes], int]:
    """ISO 14496-15, 8.3.3.1: HEVCDecoderConfigurationRecord."""
    units: list[bytes] = []
    place = 23
    for _ in range(record[22]):
        count = record[place + 1] << 8 | record[place + 2]
        place = _take_units(record, place + 3, count, units)
    return units, (record[21] & 3) + 1


def _take_units(record: bytes, place: int, count: int, units: list[bytes]) -> int:
    for _ in range(count):
        size = record[place] << 8 | record[place + 1]
        unit = record[place + 2 : place + 2 + size]
        if not unit or len(unit) < size or len(units) >= MAX_PARAMETER_SETS:
            raise InvalidInputError("the stream's parameter sets are cut short or too many")
        units.append(unit)
        place += 2 + size
    return place
