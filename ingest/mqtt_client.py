"""paho's client as the keeper of a connection: login, TLS, subscription, keep-alive, both versions of the protocol.

The messages themselves bypass it (`ingest.mqtt_frames`), and the socket is read and written in large pieces: paho
makes three system calls to read a packet and one to write it. One network thread drives it and nobody else touches
it. Raises `BrokenStreamError` for a broker that breaks the protocol, and what sockets raise.
"""

import contextlib
import socket
import ssl
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.mqtt_frames import MAX_FRAME_BYTES, FrameReader, Published
from ingest.mqtt_target import MqttTarget

RECEIVE_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 30

SESSION_EXPIRY_S = 7 * 86400
"""How long an MQTT 5 broker keeps the session of a bridge that is away; 3.1.1 has no way to say it."""

RECEIVE_MAXIMUM = 5000
"""Unacknowledged messages an MQTT 5 broker may have under way to us."""

_DISCONNECT = 0xE0


class SessionClient(paho.Client):
    """`open`, then `read` when the socket is readable and `flush` after each round of work, then `close`."""

    _published: list[Published]
    _answered: list[int]

    def __init__(self, target: MqttTarget, client_id: str) -> None:
        self.is_v5 = target.version == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self.is_v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self.is_v5 else MQTTProtocolVersion.MQTTv311,
        )
        self._target = target
        self._forget_bytes()
        self.connect_timeout = CONNECT_TIMEOUT_S
        self.on_socket_register_write = lambda *_: None  # so that paho leaves the writing to `flush`
        self.on_socket_open = _without_delay
        if target.username is not None:
            self.username_pw_set(target.username, target.password.reveal() if target.password else None)
        if target.tls:
            self.tls_set_context(target.tls_context())

    def open(self) -> None:
        """Connect and send CONNECT; blocks at most `CONNECT_TIMEOUT_S` after the name is resolved."""
        self._forget_bytes()
        if not self.is_v5:
            self.connect(self._target.host, self._target.port, KEEPALIVE_S)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.MaximumPacketSize = MAX_FRAME_BYTES
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self.connect(self._target.host, self._target.port, KEEPALIVE_S, clean_start=False, properties=properties)

    def close(self) -> None:
        """Send DISCONNECT if there is a connection, and end it."""
        self.disconnect()
        self.flush()

    def read(self) -> MQTTErrorCode:
        """Deal with what one receive gives; messages wait in `take_published`, paho's callbacks run inside."""
        while True:
            outcome = self.loop_read()
            if outcome != MQTTErrorCode.MQTT_ERR_SUCCESS or not self._has_unread():
                return outcome

    def take_published(self) -> list[Published]:
        """The messages read since the last call."""
        published, self._published = self._published, []
        return published

    def take_answered(self) -> list[int]:
        """The packet ids the broker has acknowledged since the last call."""
        answered, self._answered = self._answered, []
        return answered

    def write(self, packets: bytes | bytearray) -> None:
        """Append whole packets to what the next `flush` sends."""
        self._outgoing += packets

    def flush(self) -> MQTTErrorCode:
        """Send what waits, as far as the socket takes it."""
        outcome = self.loop_write()
        if outcome != MQTTErrorCode.MQTT_ERR_SUCCESS or self.socket() is None:
            return outcome
        try:
            self._send_outgoing()
        except OSError:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        return outcome

    @property
    def unsent_bytes(self) -> int:
        return len(self._outgoing)

    def _forget_bytes(self) -> None:
        self._frames = FrameReader(is_v5=self.is_v5)
        self._published = []
        self._answered = []
        self._incoming = b""
        self._outgoing = bytearray()

    def _has_unread(self) -> bool:
        sock = self.socket()
        return bool(self._incoming) or (isinstance(sock, ssl.SSLSocket) and sock.pending() > 0)

    # What paho calls to reach its socket.

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._incoming:
            chunk = super()._sock_recv(RECEIVE_BYTES)
            if not chunk:
                return b""
            received = self._frames.feed(chunk)
            self._published += received.published
            self._answered += received.taken
            self._incoming = received.others
            if not self._incoming:
                raise BlockingIOError
        piece, self._incoming = self._incoming[:bufsize], self._incoming[bufsize:]
        return piece

    def _sock_send(self, buf: bytes | bytearray) -> int:
        self._outgoing += buf
        if buf[0] == _DISCONNECT:
            self._send_outgoing()  # paho closes the socket right after
        return len(buf)

    def _send_outgoing(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._outgoing:
                sent = super()._sock_send(self._outgoing)
                del self._outgoing[:sent]


def _without_delay(_client: paho.Client, _userdata: Any, sock: Any) -> None:
    """Nagle's algorithm and delayed acknowledgement together would cost a call box's `ack` 40 ms."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
