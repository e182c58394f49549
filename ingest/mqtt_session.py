"""One persistent MQTT session over as many connections as it takes; `run` is the body of its network thread.

Deliveries and changes of the connection go out through `SessionListener`, called on that thread; `hand_over` and `stop`
may be called from another. Stops reading while `MAX_UNSETTLED` deliveries wait to be settled; drops the oldest waiting
message beyond `MAX_WAITING`. A broker that is away or misbehaves is reported and tried again, never raised.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ingest.mqtt_client import SessionClient
from ingest.mqtt_frames import puback_packet, publish_packet
from ingest.mqtt_target import MqttTarget
from runtime.backoff import Backoff
from runtime.errors import SharpEyesError
from runtime.log import get_logger

TICK_S = 0.5
"""How often keep-alive is looked after."""

STEADY_AFTER_S = 10.0
"""A connection that lasted this long makes earlier failures forgotten; two bridges of one name throw each other out."""

MAX_UNSETTLED = 5000
"""A second of presses at the promised rate; about 20 MB of the longest payloads."""

MAX_UNANSWERED = 1000
"""Messages on their way to the broker."""

MAX_WAITING = 20_000
"""Messages kept while the broker is away; a lost one is healed when the box repeats its press or reports ready."""

FIRST_PACKET_ID, LAST_PACKET_ID = 0x8000, 0xFFFF
"""Ours; paho counts its subscriptions upwards from 1."""

_log = get_logger(__name__)


class Delivery(NamedTuple):
    """A message from the broker, not acknowledged yet. `packet_id` and `connection` say where its PUBACK goes."""

    topic: str
    payload: bytes
    retained: bool
    packet_id: int
    connection: int


class Outgoing(NamedTuple):
    """A message to publish with QoS 1."""

    topic: str
    payload: bytes


class SessionListener(Protocol):
    """Called on the network thread; must not block."""

    def arrived(self, batch: Sequence[Delivery]) -> None: ...
    def connected(self) -> None: ...
    def disconnected(self, reason: str) -> None: ...


class MqttSession:
    """Client id `client_id`, subscribed to `filters` with QoS 1, clean session off."""

    def __init__(self, target: MqttTarget, client_id: str, filters: Sequence[str], listener: SessionListener) -> None:
        self._target = target
        self._filters = filters
        self._listener = listener
        self._client = SessionClient(target, client_id)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._stopping = threading.Event()
        self._waker, self._woken = _wake_pair()
        self._connection = 0
        self._is_up = False
        self._refusal = ""
        self._settled: deque[Delivery] = deque()
        self._unsettled = 0
        self._waiting: deque[Outgoing] = deque()
        self._unanswered: dict[int, Outgoing] = {}
        self._packet_id = LAST_PACKET_ID

    def hand_over(self, settled: Iterable[Delivery], messages: Iterable[Outgoing]) -> int:
        """Send the PUBACKs of `settled` and publish `messages`, in order, at once or when the broker is back.

        A delivery whose connection is gone gets none: the broker repeats it. Returns how many old messages were
        dropped to keep to `MAX_WAITING`.
        """
        self._settled.extend(settled)
        self._waiting.extend(messages)
        dropped = 0
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            dropped += 1
        self._wake()
        return dropped

    def stop(self) -> None:
        """End `run`; at once unless it is in the middle of a connection attempt."""
        self._stopping.set()
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full of wake-ups already, or `run` is over
            self._waker.send(b"\0")

    # From here on: the network thread.

    def run(self) -> None:
        """Stay connected until `stop`; once only."""
        with self._waker, self._woken:
            self._keep_connected()

    def _keep_connected(self) -> None:
        backoff = Backoff(0.2, 15.0)
        while not self._stopping.is_set():
            started_s = time.monotonic()
            reason = self._connect_and_serve()
            if self._stopping.is_set():
                return
            if self._is_up and time.monotonic() - started_s > STEADY_AFTER_S:
                backoff.reset()
            delay_s = backoff.next_s()
            self._listener.disconnected(reason)
            _log.warning("broker away", broker=str(self._target), reason=reason, delay_s=round(delay_s, 2))
            self._stopping.wait(delay_s)

    def _connect_and_serve(self) -> str:
        """One connection from its beginning to its end; returns why it ended."""
        self._connection += 1
        self._is_up, self._refusal = False, ""
        try:
            self._client.open()
            outcome = self._serve()
        except (OSError, SharpEyesError) as error:
            return str(error) or type(error).__name__
        except Exception as error:  # noqa: BLE001 - supervision: nothing a broker sends may end the session
            _log.error("MQTT connection failed", broker=str(self._target), exc_info=error)
            return f"{type(error).__name__} while speaking with the broker"
        finally:
            self._client.close()
        return self._refusal or paho.error_string(outcome)

    def _serve(self) -> MQTTErrorCode:
        """Move bytes until the connection ends or `stop`."""
        client = self._client
        sock: Any = client.socket()
        descriptor = sock.fileno()
        poller = select.poll()
        poller.register(self._woken, select.POLLIN)
        poller.register(descriptor, select.POLLIN)
        next_tick_s = 0.0
        outcome: MQTTErrorCode = client.flush()
        while outcome == MQTTErrorCode.MQTT_ERR_SUCCESS and not self._stopping.is_set():
            poller.modify(descriptor, self._interest())
            ready = dict(poller.poll(TICK_S * 1000))
            if self._woken.fileno() in ready:
                self._woken.recv(4096)
            if ready.get(descriptor, 0) & ~select.POLLOUT:
                outcome = client.read()
                self._take_in()
            self._acknowledge_settled()
            self._publish_waiting()
            if outcome == MQTTErrorCode.MQTT_ERR_SUCCESS:
                outcome = client.flush()
            if outcome == MQTTErrorCode.MQTT_ERR_SUCCESS and time.monotonic() >= next_tick_s:
                outcome = client.loop_misc()
                next_tick_s = time.monotonic() + TICK_S
        return outcome

    def _interest(self) -> int:
        reads = select.POLLIN if self._unsettled < MAX_UNSETTLED else 0
        return reads | (select.POLLOUT if self._client.unsent_bytes else 0)

    def _take_in(self) -> None:
        for packet_id in self._client.take_answered():
            self._unanswered.pop(packet_id, None)
        published = self._client.take_published()
        if published:
            self._unsettled += len(published)
            self._listener.arrived([Delivery(*message, self._connection) for message in published])

    def _acknowledge_settled(self) -> None:
        packets = bytearray()
        while self._settled:
            delivery = self._settled.popleft()
            self._unsettled -= 1
            if delivery.packet_id and delivery.connection == self._connection:
                packets += puback_packet(delivery.packet_id)
        self._client.write(packets)

    def _publish_waiting(self) -> None:
        packets = bytearray()
        while self._is_up and self._waiting and len(self._unanswered) < MAX_UNANSWERED:
            try:
                message = self._waiting.popleft()
            except IndexError:  # `send` dropped the last one at this very moment
                break
            packet_id = self._next_packet_id()
            self._unanswered[packet_id] = message
            packets += publish_packet(message.topic, message.payload, packet_id, is_v5=self._client.is_v5)
        self._client.write(packets)

    def _publish_again(self) -> None:
        """What the broker may not have taken before the connection ended goes first, in its old order."""
        for packet_id, message in self._unanswered.items():
            is_v5 = self._client.is_v5
            self._client.write(publish_packet(message.topic, message.payload, packet_id, is_v5=is_v5, again=True))

    def _next_packet_id(self) -> int:
        while True:
            self._packet_id = FIRST_PACKET_ID if self._packet_id == LAST_PACKET_ID else self._packet_id + 1
            if self._packet_id not in self._unanswered:
                return self._packet_id

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the broker refuses the connection: {reason}"
            return
        client.subscribe([(topic_filter, 1) for topic_filter in self._filters])

    def _on_subscribe(
        self, client: paho.Client, _data: Any, _mid: int, reasons: Sequence[ReasonCode], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "the broker refuses the subscription; allow this user to read sharpeyes/v1/#"
            client.disconnect()
            return
        self._publish_again()
        self._is_up = True
        self._listener.connected()


def _wake_pair() -> tuple[socket.socket, socket.socket]:
    waker, woken = socket.socketpair()
    waker.setblocking(False)
    woken.setblocking(False)
    return waker, woken
