"""The packet ring: bounds, cursors, key frames, epochs."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from ingest.packet import Codec, Packet, Stamp, StreamInfo
from ingest.ring import PACKET_OVERHEAD_BYTES, PacketRing
from runtime.clock import NS_PER_S

INFO = StreamInfo(Codec.H264, 640, 360, b"")
FRAME_NS = NS_PER_S // 25


def packet(seq: int, *, key: bool, size: int = 100, t_ns: int | None = None) -> Packet:
    return Packet(Stamp("cam", seq, seq * FRAME_NS if t_ns is None else t_ns), seq * 3600, key, bytes(size))


def filled(packets: int, *, gop: int = 10, max_s: float = 60.0, max_bytes: int = 1 << 20) -> PacketRing:
    ring = PacketRing(max_s, max_bytes)
    ring.begin_session(INFO)
    for seq in range(packets):
        ring.append(packet(seq, key=seq % gop == 0))
    return ring


def test_a_reader_gets_every_packet_once_and_in_order() -> None:
    ring, cursor, seen = filled(35), 0, []
    while True:
        batch = ring.read(cursor, 8)
        if not batch.packets:
            break
        seen += [item.stamp.seq for item in batch.packets]
        cursor = batch.next_index
    assert seen == list(range(35))
    assert cursor == ring.head


def test_bytes_are_bounded_and_the_tail_stays_a_key_frame() -> None:
    limit = 25 * (100 + PACKET_OVERHEAD_BYTES)
    ring = PacketRing(60.0, limit)
    ring.begin_session(INFO)
    for seq in range(200):
        ring.append(packet(seq, key=seq % 10 == 0))
        assert ring.size_bytes <= limit
        assert ring.read(ring.tail, 1).packets[0].is_key


def test_seconds_are_bounded_and_covered() -> None:
    ring = filled(500, gop=25, max_s=4.0)
    span_s = (ring.head - ring.tail) / 25
    assert 4.0 <= span_s <= 4.0 + 1.0 + 0.04


def test_a_group_larger_than_the_ring_is_dropped_until_the_next_key_frame() -> None:
    ring = PacketRing(60.0, 10 * (100 + PACKET_OVERHEAD_BYTES))
    ring.begin_session(INFO)
    indices = [ring.append(packet(seq, key=seq == 0)) for seq in range(40)]
    assert indices[9] == 9
    assert indices[10:] == [None] * 30
    assert ring.size_bytes == 0
    assert ring.refused == 29
    assert ring.append(packet(40, key=True)) == 11


def test_a_reader_that_was_overtaken_goes_on_at_a_key_frame_and_learns_what_it_lost() -> None:
    ring = filled(500, gop=25, max_s=4.0)
    batch = ring.read(3, 10)
    assert batch.packets[0].is_key
    assert batch.packets[0].stamp.seq == ring.tail
    assert batch.lost == ring.tail - 3


def test_packets_before_the_first_key_frame_are_refused() -> None:
    ring = PacketRing(10.0, 1 << 20)
    assert ring.append(packet(0, key=True)) is None, "no session has begun"
    ring.begin_session(INFO)
    assert ring.append(packet(1, key=False)) is None
    assert ring.append(packet(2, key=True)) == 0


def test_a_new_session_is_a_new_epoch_and_no_batch_spans_two() -> None:
    ring = filled(15)
    other = StreamInfo(Codec.H265, 1280, 720, b"x")
    epoch = ring.begin_session(other)
    assert ring.append(packet(0, key=False, t_ns=NS_PER_S)) is None, "a new session starts at a key frame"
    ring.append(packet(1, key=True, t_ns=NS_PER_S))
    first = ring.read(0, 100)
    second = ring.read(first.next_index, 100)
    assert (len(first.packets), first.epoch, first.info) == (15, 0, INFO)
    assert (len(second.packets), second.epoch, second.info) == (1, epoch, other)
    assert (ring.epoch_at(14), ring.epoch_at(15)) == (0, epoch)


def test_an_epoch_is_forgotten_with_its_last_packet() -> None:
    ring = filled(20, gop=10, max_s=1.0)
    epoch = ring.begin_session(INFO)
    for seq in range(20, 100):
        ring.append(packet(seq, key=seq % 10 == 0))
    assert ring.info(0) is None
    assert ring.info(epoch) == INFO
    assert ring.epoch_at(0) is None


def test_sessions_without_packets_leave_nothing_behind() -> None:
    ring = PacketRing(1.0, 1 << 20)
    for _ in range(1000):
        last = ring.begin_session(INFO)
    assert ring.info(last) == INFO
    assert ring.info(last - 1) is None


def test_key_frames_are_found_by_time_and_by_index() -> None:
    ring = filled(40)
    assert ring.key_at_or_before(-1) is None
    assert ring.key_at_or_before(19 * FRAME_NS) == 10
    assert ring.key_at_or_before(20 * FRAME_NS) == 20
    assert ring.key_at_or_before(10**18) == ring.newest_key() == 30
    assert (ring.next_key(0), ring.next_key(1), ring.next_key(31)) == (0, 10, None)
    assert (ring.key_before(0), ring.key_before(30), ring.key_before(31)) == (None, 20, 30)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=200),
    st.integers(1, 20),
    st.integers(1000, 20_000),
)
def test_whatever_comes_the_ring_keeps_its_bounds_and_starts_at_a_key_frame(
    stream: list[tuple[bool, int]], seconds: int, limit: int
) -> None:
    ring = PacketRing(seconds / 10, limit)
    ring.begin_session(INFO)
    for seq, (is_key, size) in enumerate(stream):
        before = ring.head
        index = ring.append(packet(seq, key=is_key, size=size))
        held = ring.read(ring.tail, 1000).packets
        assert ring.size_bytes == sum(len(item.raw) + PACKET_OVERHEAD_BYTES for item in held) <= limit
        assert not held or held[0].is_key
        assert index is None or (index == before and held[-1].stamp.seq == seq)


def test_readers_and_the_writer_do_not_disturb_each_other() -> None:
    ring = PacketRing(0.4, 1 << 20)
    ring.begin_session(INFO)
    done = threading.Event()
    counted: list[int] = []

    def pull() -> None:
        cursor = count = last = 0
        while not done.is_set() or cursor < ring.head:
            batch = ring.read(cursor, 7)
            assert batch.next_index == cursor + batch.lost + len(batch.packets)
            assert all(later.stamp.seq == cursor + batch.lost + n for n, later in enumerate(batch.packets))
            count += batch.lost + len(batch.packets)
            last = cursor = batch.next_index
        counted.append(count if last == count else -1)

    readers = [threading.Thread(target=pull) for _ in range(3)]
    for reader in readers:
        reader.start()
    for seq in range(3000):
        ring.append(packet(seq, key=seq % 5 == 0))
    done.set()
    for reader in readers:
        reader.join(10)
    assert counted == [3000] * 3
