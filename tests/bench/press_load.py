"""Call boxes for the presses bench, many on one connection: presses at a rate, repeats what is not acknowledged.

`python press_load.py HOST PORT FIRST COUNT RATE SECONDS HEARS_ACKS OUT`: boxes `box-FIRST` onwards take turns and press
green and red alternately, RATE a second at most. As a real box does, each repeats a press every REPEAT_S until its
`ack`, and makes the next one only then; when HEARS_ACKS is 0, it waits for the broker's answer alone. OUT gets one JSON
object: what was sent when, what was heard, what never was.
"""

import itertools
import json
import select
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from ingest.mqtt_frames import FrameReader, puback_packet, publish_packet

REPEAT_S = 3.0
GIVE_UP_S = 40.0
"""After the last press: longer than any backlog, so that what is unheard then is lost."""

BOOT = "bench"
CHUNK_BYTES = 256 * 1024

Press = tuple[int, int]
"""Box number and seq."""


class Boxes:
    """One connection; `run` blocks until all is heard or given up."""

    def __init__(self, address: tuple[str, int], first: int, count: int, *, hears_acks: bool) -> None:
        self._frames = FrameReader(is_v5=False)
        self._hears_acks = hears_acks
        self._turn = itertools.cycle(range(first, first + count))
        self._seqs = dict.fromkeys(range(first, first + count), 0)
        self._busy: set[int] = set()
        self._packet_ids = itertools.cycle(range(1, 0x10000))
        self._outgoing = bytearray()
        self._waiting: dict[Press, int] = {}
        self._press_of: dict[int, Press] = {}
        self._repeats_due: deque[tuple[float, Press]] = deque()
        self.sent_ns: dict[Press, int] = {}
        self.ack_ms: list[float] = []
        self.last_ack_s = 0.0
        self.repeats = 0
        self._socket = socket.create_connection(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sign_in(f"boxes-{first}", first, count)
        self._socket.setblocking(False)

    def run(self, rate: float, seconds: float) -> None:
        poller = select.poll()
        began_s = time.monotonic()
        while (now_s := time.monotonic() - began_s) < seconds or (self._waiting and now_s < seconds + GIVE_UP_S):
            if now_s < seconds:
                self._press_due(int(now_s * rate))
            self._repeat()
            self._send()
            poller.register(self._socket, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
            if poller.poll(1):
                self._take_in()
        self.took_s = (self.last_ack_s or time.monotonic()) - began_s

    def summary(self) -> dict[str, Any]:
        return {
            "sent_ns": [[box, seq, at] for (box, seq), at in self.sent_ns.items()],
            "ack_ms": self.ack_ms,
            "unheard": len(self._waiting),
            "repeats": self.repeats,
            "took_s": self.took_s,
        }

    def _press_due(self, due: int) -> None:
        """Make presses until `due` were made or every box has had its turn."""
        for box in itertools.islice(self._turn, len(self._seqs)):
            if len(self.sent_ns) >= due:
                return
            if box not in self._busy:
                self._press(box)

    def _press(self, box: int) -> None:
        self._busy.add(box)
        self._seqs[box] += 1
        press = (box, self._seqs[box])
        self.sent_ns[press] = self._waiting[press] = time.time_ns()
        self._publish(press)

    def _publish(self, press: Press) -> None:
        box, seq = press
        key = "call" if seq % 2 else "hangup"
        payload = b'{"boot":"%s","seq":%d,"key":"%s"}' % (BOOT.encode(), seq, key.encode())
        packet_id = next(self._packet_ids)
        self._press_of[packet_id] = press
        self._outgoing += publish_packet(f"sharpeyes/v1/callbox/box-{box}/event", payload, packet_id, is_v5=False)
        self._repeats_due.append((time.monotonic() + REPEAT_S, press))

    def _repeat(self) -> None:
        while self._repeats_due and self._repeats_due[0][0] < time.monotonic():
            press = self._repeats_due.popleft()[1]
            if press in self._waiting and self._hears_acks:
                self.repeats += 1
                self._publish(press)

    def _take_in(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        assert chunk, "the broker has closed the connection"
        received = self._frames.feed(chunk)
        for packet_id in received.taken:
            press = self._press_of.pop(packet_id, None)
            if press is not None and not self._hears_acks:
                self._heard(press)
        for message in received.published:
            if message.packet_id:
                self._outgoing += puback_packet(message.packet_id)
            said = json.loads(message.payload)
            if said["cmd"] == "ack":
                self._heard((int(message.topic.split("/")[3].removeprefix("box-")), said["seq"]))

    def _heard(self, press: Press) -> None:
        sent_ns = self._waiting.pop(press, None)
        if sent_ns is not None:
            self._busy.discard(press[0])
            self.ack_ms.append((time.time_ns() - sent_ns) / 1e6)
            self.last_ack_s = time.monotonic()

    def _send(self) -> None:
        while self._outgoing:
            try:
                del self._outgoing[: self._socket.send(self._outgoing)]
            except BlockingIOError:
                return

    def _sign_in(self, client_id: str, first: int, count: int) -> None:
        """CONNECT and, a few boxes a packet, SUBSCRIBE to their commands; waits for the answers."""
        name = client_id.encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(name)) + name
        self._ask(b"\x10" + bytes([len(body)]) + body, 4)
        if not self._hears_acks:
            return
        for box in range(first, first + count):
            topic = f"sharpeyes/v1/callbox/box-{box}/cmd".encode()
            body = b"\x00\x01" + struct.pack("!H", len(topic)) + topic + b"\x01"
            self._ask(b"\x82" + bytes([len(body)]) + body, 5)

    def _ask(self, packet: bytes, answer_bytes: int) -> None:
        self._socket.sendall(packet)
        answer = self._socket.recv(answer_bytes, socket.MSG_WAITALL)
        assert answer[-1] in (0, 1), f"the broker refuses: {answer!r}"


def main() -> None:
    host, port, first, count, rate, seconds, hears_acks, out = sys.argv[1:]
    boxes = Boxes((host, int(port)), int(first), int(count), hears_acks=hears_acks == "1")
    print("ready", flush=True)
    boxes.run(float(rate), float(seconds))
    Path(out).write_text(json.dumps(boxes.summary()))
    print("done", flush=True)


if __name__ == "__main__":
    main()
