"""The bridge's connection to its MQTT broker: deliveries in batches, acknowledged only when the caller says so.

`run` owns the network thread (`ingest.mqtt_session`) for as long as it is awaited; all else is called on the loop,
which the thread enters once per batch. A broker that is away, at the start or later, shows in the health part and
costs nothing else: `receive` waits, commands wait up to a bound, then the oldest are dropped and counted.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ingest.mqtt_session import Delivery, MqttSession, Outgoing
from ingest.mqtt_target import MqttTarget
from runtime.health import Health
from runtime.language import say
from runtime.log import get_logger
from runtime.metrics import mqtt_messages

MAX_BATCH = 1000
"""Enough for the ledger to share one fsync; small enough that its transaction stays short."""

STOP_JOIN_S = 1.5
"""A thread inside a connection attempt is left behind after this long; it is a daemon and ends by itself."""

COMPLAIN_EVERY_S = 10.0
"""Drops come by the thousand; the metric counts each."""

_log = get_logger(__name__)


class MqttLink:
    """A persistent session named `client_id` that listens to `filters` with QoS 1."""

    def __init__(
        self, target: MqttTarget, client_id: str, filters: Sequence[str], health: Health, part: str = "mqtt"
    ) -> None:
        self.target = target
        self._health = health
        self._part = part
        self._session = MqttSession(target, client_id, filters, self)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._settled: list[Delivery] = []
        self._outgoing: list[Outgoing] = []
        self._is_handing_over = False
        self._dropped = mqtt_messages.labels("cmd", "dropped")
        self._next_complaint_s = 0.0
        self._sent = mqtt_messages.labels("cmd", "sent")
        health.unwell(part, say(zh=f"尚未连上 {target}", en=f"not connected to {target} yet"), required=True)

    async def run(self) -> None:
        """Be connected, or try to be, until cancelled. Raises what the network thread did not survive. Once only."""
        self._loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = self._loop.create_future()

        def body() -> None:
            try:
                self._session.run()
            except Exception as error:  # noqa: BLE001 - supervision: handed to the task that is supervised
                self._call(partial(_fail, over, error))

        thread = threading.Thread(target=body, name=f"{self._part}-network", daemon=True)
        thread.start()
        try:
            await over
        finally:
            self._session.stop()
            await asyncio.get_running_loop().run_in_executor(None, thread.join, STOP_JOIN_S)

    async def receive(self) -> list[Delivery]:
        """Wait for at least one delivery; at most `MAX_BATCH`, in the broker's order."""
        while not self._arrived:
            self._wake.clear()
            await self._wake.wait()
        return [self._arrived.popleft() for _ in range(min(MAX_BATCH, len(self._arrived)))]

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Acknowledge to the broker: what these deliveries said is safe, or refused for good."""
        self._settled.extend(deliveries)
        self._hand_over_soon()

    def send(self, messages: Iterable[Outgoing]) -> None:
        """Publish with QoS 1, in order."""
        self._outgoing.extend(messages)
        self._hand_over_soon()

    def _hand_over_soon(self) -> None:
        """Once per turn of the loop: waking the network thread costs a system call, and a batch gives many words."""
        if not self._is_handing_over:
            self._is_handing_over = True
            asyncio.get_running_loop().call_soon(self._hand_over)

    def _hand_over(self) -> None:
        self._is_handing_over = False
        settled, self._settled = self._settled, []
        outgoing, self._outgoing = self._outgoing, []
        self._sent.inc(len(outgoing))
        dropped = self._session.hand_over(settled, outgoing)
        if dropped:
            self._dropped.inc(dropped)
            self._complain(dropped)

    def _complain(self, dropped: int) -> None:
        if time.monotonic() >= self._next_complaint_s:
            self._next_complaint_s = time.monotonic() + COMPLAIN_EVERY_S
            _log.warning("commands dropped: the broker takes them too slowly or is away", dropped=dropped)

    # SessionListener: on the network thread.

    def arrived(self, batch: Sequence[Delivery]) -> None:
        self._call(lambda: self._take(batch))

    def connected(self) -> None:
        _log.info("connected to broker", broker=str(self.target))
        self._health.well(self._part, required=True)

    def disconnected(self, reason: str) -> None:
        words = say(zh=f"MQTT 服务 {self.target}：{reason}", en=f"broker {self.target}: {reason}")
        self._health.unwell(self._part, words, required=True)

    def _take(self, batch: Sequence[Delivery]) -> None:
        self._arrived.extend(batch)
        self._wake.set()

    def _call(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the process is ending, the broker will repeat
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)


def _fail(over: asyncio.Future[None], error: Exception) -> None:
    if not over.done():
        over.set_exception(error)
