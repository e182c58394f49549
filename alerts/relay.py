"""The relay: messages committed to the outbox go to the bus in order, then its listeners hear of them.

One task on the loop. Blocks on the bus and never drops: a batch the bus does not take is tried again after a jittered
delay, for ever; a message that the bus refuses for good goes to the dead-letter topic. A crash between the bus and the
mark sends that batch again: at least once. Listeners hear after the mark: whatever they do, no batch goes twice for it.
Ends with `UnavailableError` only when the ledger itself fails.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from alerts.bus import Bus, Message, Received
from alerts.dead_letter import dead_letter
from alerts.ledger import Ledger
from alerts.ledger_txn import LedgerTxn, OutboxRow
from runtime import metrics
from runtime.backoff import Backoff
from runtime.clock import Clock, SystemClock
from runtime.errors import InvalidInputError, SharpEyesError, UnavailableError
from runtime.health import Health
from runtime.log import get_logger

BATCH = 500
"""Messages in one publication: under a megabyte of alerts, some milliseconds of the bus."""

POLL_S = 2.0
"""The ledger wakes the relay; this is for a wake-up that was lost."""

MAX_DELAY_S = 5.0
"""Longest wait before the bus is tried again: it may be back, and calls are waiting."""

Listener = Callable[[Sequence[OutboxRow]], Awaitable[None] | None]

_log = get_logger(__name__)


class Relay:
    """`run` is its task. Each ledger has one relay: `name` tells it from another one in the same process.

    Health part `<name> bus`; label of the waiting messages' gauge.
    """

    def __init__(self, name: str, ledger: Ledger, bus: Bus, health: Health, *, clock: Clock | None = None) -> None:
        self._part = f"{name} bus"
        self._waiting = metrics.outbox_waiting.labels(name)
        self._ledger = ledger
        self._bus = bus
        self._health = health
        self._clock = clock or SystemClock()
        self._backoff = Backoff(first_s=0.2, max_s=MAX_DELAY_S)
        self._listeners: list[Listener] = []

    def on_published(self, listener: Listener) -> None:
        """Call `listener(rows)` after each batch that the bus took; alerts among them carry id and revision.

        A listener that raises is logged and hears the next batch; what it missed, then or by a crash of the process
        before it was called, it must find by itself: those rows are no longer in the outbox.
        """
        self._listeners.append(listener)

    async def run(self) -> None:
        """Publish for ever."""
        sent: Sequence[OutboxRow] = ()
        while True:
            self._ledger.outbox_filled.clear()
            rows, waiting = await self._ledger.apply(_take(sent))
            self._waiting.set(waiting)
            await self._tell(sent)
            if rows:
                await self._publish(rows)
            else:
                await self._wait()
            sent = rows

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        messages = [row.message for row in rows]
        try:
            await self._insist(messages)
        except InvalidInputError:
            await self._publish_singly(messages)
        self._backoff.reset()
        self._health.well(self._part)
        for topic, count in Counter(message.topic for message in messages).items():
            metrics.published.labels(topic).inc(count)

    async def _insist(self, messages: Sequence[Message]) -> None:
        while True:
            try:
                await self._bus.publish(messages)
            except UnavailableError as error:
                await self._wait_out(error)
            else:
                return

    async def _publish_singly(self, messages: Sequence[Message]) -> None:
        """A broker with a limit of its own refused the batch: what it refuses alone must not hold up the rest."""
        for message in messages:
            try:
                await self._insist([message])
            except InvalidInputError as error:
                _log.error("bus refuses a message for good", topic=message.topic, key=message.key, reason=str(error))
                await self._insist([dead_letter(Received(message, -1, -1), str(error))])

    async def _wait_out(self, error: UnavailableError) -> None:
        delay_s = self._backoff.next_s()
        metrics.publish_failures.inc()
        self._health.unwell(self._part, str(error))
        self._waiting.set(await self._ledger.apply(lambda txn: txn.waiting_count()))
        _log.warning("bus did not take the batch, trying again", reason=str(error), delay_s=round(delay_s, 2))
        await self._clock.sleep(delay_s)

    async def _tell(self, rows: Sequence[OutboxRow]) -> None:
        for listener in self._listeners if rows else ():
            try:
                answer = listener(rows)
                if inspect.isawaitable(answer):
                    await answer
            except SharpEyesError as error:
                _log.warning("listener failed after a publication", reason=str(error))
            except Exception as error:  # noqa: BLE001 - a plug-in: publishing goes on whatever listeners do
                _log.error("listener failed after a publication", exc_info=error)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._ledger.outbox_filled.wait()
        except TimeoutError:
            pass


def _take(sent: Sequence[OutboxRow]) -> Callable[[LedgerTxn], tuple[Sequence[OutboxRow], int]]:
    """Mark what was sent and take the next batch, in one change; also how many messages wait, that batch included."""

    def change(txn: LedgerTxn) -> tuple[Sequence[OutboxRow], int]:
        if sent:
            txn.sent(sent[-1].number)
        return txn.waiting(BATCH), txn.waiting_count()

    return change
