import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mqtt_frames import (
    MAX_FRAME_BYTES,
    BrokenStreamError,
    FrameReader,
    Published,
    puback_packet,
    publish_packet,
)

PINGRESP = b"\xd0\x00"

MESSAGES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\0#+"), min_size=1, max_size=40),
        st.binary(max_size=300),
        st.integers(1, 65535),
    ),
    max_size=8,
)


def read_all(reader: FrameReader, stream: bytes, sizes: list[int]) -> tuple[list[Published], list[int], bytes]:
    """Feed `stream` in chunks of these sizes, over and over."""
    published: list[Published] = []
    taken: list[int] = []
    others = b""
    at = turn = 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        received = reader.feed(stream[at : at + size])
        published += received.published
        taken += received.taken
        others += received.others
        at, turn = at + size, turn + 1
    return published, taken, others


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1, max_size=5), st.booleans())
def test_messages_come_out_whole_however_the_stream_is_cut(
    messages: list[tuple[str, bytes, int]], sizes: list[int], is_v5: bool
) -> None:
    stream = b"".join(
        publish_packet(topic, payload, number, is_v5=is_v5) + PINGRESP + puback_packet(number)
        for topic, payload, number in messages
    )
    published, taken, others = read_all(FrameReader(is_v5=is_v5), stream, sizes)
    assert published == [Published(topic, payload, False, number) for topic, payload, number in messages]
    assert taken == [number for _, _, number in messages]
    assert others == PINGRESP * len(messages)


@given(st.integers(MAX_FRAME_BYTES + 1, MAX_FRAME_BYTES + 200_000), st.integers(1000, 70_000))
def test_of_an_oversized_message_only_the_beginning_is_kept_and_the_next_one_is_whole(size: int, chunk: int) -> None:
    stream = publish_packet("a/b", b"x" * size, 9, is_v5=False) + publish_packet("c", b"next", 10, is_v5=False)
    published, _, _ = read_all(FrameReader(is_v5=False), stream, [chunk])
    first, second = published
    assert (first.topic, first.packet_id) == ("a/b", 9)
    assert len(first.payload) < MAX_FRAME_BYTES
    assert second == Published("c", b"next", False, 10)


def test_properties_of_version_5_are_not_taken_for_payload() -> None:
    properties = b"\x01\x01"  # payload format: text
    body = struct.pack("!H", 1) + b"t" + struct.pack("!H", 3) + bytes([len(properties)]) + properties + b"hello"
    received = FrameReader(is_v5=True).feed(b"\x32" + bytes([len(body)]) + body)
    assert received.published == [Published("t", b"hello", False, 3)]


def test_a_message_of_qos_0_has_no_packet_id_and_its_retain_flag_is_kept() -> None:
    assert FrameReader(is_v5=False).feed(b"\x31\x05\x00\x01thi").published == [Published("t", b"hi", True, 0)]


def test_a_puback_with_a_reason_code_is_understood() -> None:
    assert FrameReader(is_v5=True).feed(b"\x40\x03\x00\x07\x10").taken == [7]


def test_repeated_messages_are_marked_as_such() -> None:
    assert publish_packet("t", b"", 1, is_v5=False, again=True)[0] & 0x08


@pytest.mark.parametrize(
    "stream",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x20\xff\xff\xff\x7f" + b"x" * MAX_FRAME_BYTES,
        b"\x32\x03\x00\x01t",
        b"\x30\x01\x00",
    ],
)
def test_what_no_broker_may_send_ends_the_connection(stream: bytes) -> None:
    with pytest.raises(BrokenStreamError):
        FrameReader(is_v5=False).feed(stream)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_read_or_end_the_connection(stream: bytes, is_v5: bool) -> None:
    with contextlib.suppress(BrokenStreamError):
        read_all(FrameReader(is_v5=is_v5), stream, [7])
