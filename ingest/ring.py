"""The packet ring: the last seconds of one stream's encoded packets, in memory, indexed by key frame.

One thread appends, any number of threads pull by cursor (an absolute index that only grows); nobody waits for
anybody. When it is full the oldest groups of pictures go, so that the tail is always a key frame; a reader that
was overtaken goes on at the tail and is told how many packets it lost.
"""

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Generic, TypeVar, cast, overload

from ingest.packet import Packet, StreamInfo
from runtime.clock import NS_PER_S

PACKET_OVERHEAD_BYTES = 320
"""What a packet's objects cost beside its payload; counted, so that a flood of tiny packets is bounded as well."""

T = TypeVar("T")


class _Shelf(Generic[T]):
    """A list whose places keep their absolute index when the front is dropped. Append and drop are O(1) amortised."""

    def __init__(self) -> None:
        self._items: list[T | None] = []
        self._dead = 0
        self._base = 0

    @property
    def first(self) -> int:
        return self._base + self._dead

    @property
    def end(self) -> int:
        return self._base + len(self._items)

    def append(self, item: T) -> None:
        self._items.append(item)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return cast("list[T]", self._items[index.start - self._base : index.stop - self._base])
        return cast("T", self._items[index - self._base])

    def drop_before(self, index: int) -> None:
        for place in range(self._dead, index - self._base):
            self._items[place] = None  # frees the item now, the place later
        self._dead = max(self._dead, index - self._base)
        if self._dead * 2 > len(self._items):
            del self._items[: self._dead]
            self._base += self._dead
            self._dead = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """What one `read` gave: packets of one epoch, in stream order; perhaps none.

    `next_index` is the cursor for the next read. `lost` packets had left the ring before the first of these, which
    is then a key frame. `info` and `epoch` are None and -1 only while nothing was ever received.
    """

    packets: tuple[Packet, ...]
    next_index: int
    lost: int
    epoch: int
    info: StreamInfo | None


@dataclass(frozen=True, slots=True)
class _Epoch:
    number: int
    first_index: int
    info: StreamInfo


class PacketRing:
    """Bounded by `max_bytes`, always; and by `max_s` seconds plus the group of pictures that reaches over them."""

    def __init__(self, max_s: float, max_bytes: int) -> None:
        self._max_ns = round(max_s * NS_PER_S)
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._packets: _Shelf[Packet] = _Shelf()
        self._keys: _Shelf[int] = _Shelf()
        self._epochs: list[_Epoch] = []
        self._epoch_count = 0
        self._size_bytes = 0
        self._refused = 0
        self._needs_key = True

    @property
    def tail(self) -> int:
        """Index of the oldest packet, a key frame; equals `head` when the ring is empty."""
        with self._lock:
            return self._packets.first

    @property
    def head(self) -> int:
        """Index that the next packet will get."""
        with self._lock:
            return self._packets.end

    @property
    def size_bytes(self) -> int:
        """Bytes held, overhead included."""
        with self._lock:
            return self._size_bytes

    @property
    def refused(self) -> int:
        """Packets that were not taken, because the key frame they need was missing or had to go."""
        with self._lock:
            return self._refused

    @property
    def epoch(self) -> int:
        """The newest epoch; -1 before the first session."""
        with self._lock:
            return self._epoch_count - 1

    def begin_session(self, info: StreamInfo) -> int:
        """Begin a new epoch: the packets that follow are described by `info` and start at a key frame."""
        with self._lock:
            if self._epochs and self._epochs[-1].first_index == self._packets.end:
                self._epochs.pop()
            self._epochs.append(_Epoch(self._epoch_count, self._packets.end, info))
            self._epoch_count += 1
            self._needs_key = True
            return self._epoch_count - 1

    def append(self, packet: Packet) -> int | None:
        """Take one packet and return its index, or None when it depends on a key frame that is not here."""
        with self._lock:
            if self._needs_key and not (packet.is_key and self._epochs):
                self._refused += 1
                return None
            self._needs_key = False
            index = self._packets.end
            if packet.is_key:
                self._keys.append(index)
            self._packets.append(packet)
            self._size_bytes += len(packet.raw) + PACKET_OVERHEAD_BYTES
            self._drop_surplus(packet.stamp.t_ns - self._max_ns)
            return index if index >= self._packets.first else None

    def read(self, index: int, max_packets: int = 256) -> Batch:
        """The packets from `index` on, at most `max_packets`; empty at the head. Never blocks."""
        with self._lock:
            start = min(max(index, self._packets.first), self._packets.end)
            lost = max(0, start - index)
            place = self._epoch_place(start)
            if place is None:
                return Batch((), start, lost, -1, None)
            epoch = self._epochs[place]
            stop = min(start + max_packets, self._packets.end)
            if place + 1 < len(self._epochs):
                stop = min(stop, self._epochs[place + 1].first_index)
            return Batch(tuple(self._packets[start:stop]), stop, lost, epoch.number, epoch.info)

    def key_at_or_before(self, t_ns: int) -> int | None:
        """Index of the newest key frame not later than `t_ns`, or None when the ring begins later."""
        with self._lock:
            place = bisect_right(
                range(self._keys.end), t_ns, lo=self._keys.first, key=lambda n: self._packets[self._keys[n]].stamp.t_ns
            )
            return self._keys[place - 1] if place > self._keys.first else None

    def key_before(self, index: int) -> int | None:
        """Index of the newest key frame before `index`, or None."""
        with self._lock:
            place = self._key_place(index)
            return self._keys[place - 1] if place > self._keys.first else None

    def next_key(self, index: int) -> int | None:
        """Index of the oldest key frame at or after `index`, or None when there is none yet."""
        with self._lock:
            place = self._key_place(index)
            return self._keys[place] if place < self._keys.end else None

    def newest_key(self) -> int | None:
        """Index of the newest key frame, or None when the ring is empty."""
        with self._lock:
            return self._keys[self._keys.end - 1] if self._keys.end > self._keys.first else None

    def epoch_at(self, index: int) -> int | None:
        """The epoch that the packet at `index` belongs to; None when it has left the ring."""
        with self._lock:
            place = self._epoch_place(index) if index >= self._packets.first else None
            return None if place is None else self._epochs[place].number

    def info(self, epoch: int) -> StreamInfo | None:
        """What the packets of `epoch` are; None when the last of them has left the ring."""
        with self._lock:
            return next((known.info for known in self._epochs if known.number == epoch), None)

    def _key_place(self, index: int) -> int:
        return bisect_left(range(self._keys.end), index, lo=self._keys.first, key=lambda n: self._keys[n])

    def _epoch_place(self, index: int) -> int | None:
        for place in range(len(self._epochs) - 1, -1, -1):
            if self._epochs[place].first_index <= index:
                return place
        return None

    def _drop_surplus(self, oldest_ns: int) -> None:
        while self._size_bytes > self._max_bytes or self._second_group_reaches(oldest_ns):
            self._drop_oldest_group()

    def _second_group_reaches(self, oldest_ns: int) -> bool:
        """Whether the ring covers its seconds without the oldest group."""
        second = self._keys.first + 1
        return second < self._keys.end and self._packets[self._keys[second]].stamp.t_ns <= oldest_ns

    def _drop_oldest_group(self) -> None:
        second = self._keys.first + 1
        stop = self._keys[second] if second < self._keys.end else self._packets.end
        for packet in self._packets[self._packets.first : stop]:
            self._size_bytes -= len(packet.raw) + PACKET_OVERHEAD_BYTES
        self._packets.drop_before(stop)
        self._keys.drop_before(second)
        self._needs_key = self._packets.first == self._packets.end
        while len(self._epochs) > 1 and self._epochs[1].first_index <= self._packets.first:
            del self._epochs[0]
