"""One member of a Kafka consumer group on one topic. Runs on the loop; offsets are committed by hand.

`receive` waits through an outage, for ever. Entering and committing raise `UnavailableError` when Kafka is away; a
commit that comes after the partitions went to another member is dropped, because that member deals with them again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from alerts.bus import Message, Received
from runtime.errors import UnavailableError
from runtime.language import say
from runtime.log import get_logger

REQUEST_TIMEOUT_MS = 10_000
SESSION_TIMEOUT_MS = 10_000
"""A member that died is replaced within this time."""

HEARTBEAT_MS = 3_000
JOIN_TIMEOUT_S = 30.0
"""A new group on a new cluster takes some seconds."""

COMMIT_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 2.0
"""The client waits for ever for a broker that is away."""

POLL_MS = 1_000
MAX_FETCH_BYTES = 8 * 1024 * 1024
MAX_PARTITION_BYTES = 2 * 1024 * 1024
"""What one answer may hold: a few messages of the largest size, so that a flood stays on the broker."""

_log = get_logger(__name__)


class _Assigned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Says when the group has given this member its partitions."""

    def __init__(self) -> None:
        self.is_joined = asyncio.Event()

    def on_partitions_revoked(self, revoked: object) -> None:
        self.is_joined.clear()

    def on_partitions_assigned(self, assigned: object) -> None:
        self.is_joined.set()


class KafkaSubscription:
    """See `alerts.bus.Subscription`."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        *,
        from_latest: bool,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._from_latest = from_latest
        self._ready = ready
        self._consumer: AIOKafkaConsumer | None = None
        self._assigned = _Assigned()
        self._dealt: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> "KafkaSubscription":
        await self._ready()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._group,
            client_id="sharpeyes",
            enable_auto_commit=False,
            auto_offset_reset="latest" if self._from_latest else "earliest",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            fetch_max_bytes=MAX_FETCH_BYTES,
            max_partition_fetch_bytes=MAX_PARTITION_BYTES,
        )
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                consumer.subscribe([self._topic], listener=self._assigned)
                await consumer.start()
                if self._from_latest:
                    await self._fix_positions(consumer)
        except (KafkaError, TimeoutError, OSError) as error:
            await _stop(consumer)
            raise self._away(error) from None
        except BaseException:
            await _stop(consumer)
            raise
        self._consumer = consumer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await _stop(consumer)

    async def receive(self, max_messages: int = 500) -> Sequence[Received]:
        """Wait for messages after those already received."""
        while True:
            try:
                found = await self._joined().getmany(timeout_ms=POLL_MS, max_records=max_messages)
            except KafkaError as error:
                raise self._away(error) from None
            received = [_received(record) for records in found.values() for record in records]
            for item in received:
                self._dealt[TopicPartition(self._topic, item.partition)] = item.offset + 1
            if received:
                return received

    async def commit(self) -> None:
        """Commit what `receive` has returned, for the partitions that are still ours."""
        consumer = self._joined()
        mine = consumer.assignment()
        offsets = {partition: offset for partition, offset in self._dealt.items() if partition in mine}
        if not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await consumer.commit(offsets)
        except (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError) as error:
            _log.info("commit came after a rebalance, the messages come again", group=self._group, reason=str(error))
        except (KafkaError, TimeoutError, OSError) as error:
            raise self._away(error) from None
        self._dealt.clear()

    async def _fix_positions(self, consumer: AIOKafkaConsumer) -> None:
        """Settle where "latest" is now, so that whatever is published after entering is received."""
        await self._assigned.is_joined.wait()
        for partition in consumer.assignment():
            await consumer.position(partition)

    def _joined(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise UnavailableError(
                say(zh=f"{self._topic}：订阅已关闭", en=f"{self._topic}: the subscription is closed")
            )
        return self._consumer

    def _away(self, error: Exception) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(
            say(
                zh=f"Kafka（{self._bootstrap}）不可用：{reason}",
                en=f"Kafka at {self._bootstrap} is not available: {reason}",
            )
        )


def _received(record: ConsumerRecord) -> Received:
    headers = tuple((name, value or b"") for name, value in record.headers)
    message = Message(record.topic, (record.key or b"").decode(errors="replace"), record.value or b"", headers)
    return Received(message, record.partition, record.offset)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await consumer.stop()
