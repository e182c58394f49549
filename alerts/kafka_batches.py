"""Messages to Kafka as whole batches: one future a batch and partition, where the client's `send` makes one a message.

Runs on the loop. Keys go to partitions as Kafka's own clients send them (murmur2); an empty value on a compacted topic
goes as null, Kafka's tombstone. Raises the client's errors.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from alerts.bus import COMPACTED_TOPICS, Message

BATCH_BYTES = 262_144
"""A larger message has a batch of its own."""

_Partition = tuple[str, int]


class BatchedPublication:
    """The messages of one publication on their way."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._filling: dict[_Partition, Any] = {}
        self._sent: list[asyncio.Future[Any]] = []

    async def send(self, messages: Sequence[Message]) -> None:
        """Return when all messages are acknowledged; raises the first error, after all are settled."""
        counts = {
            topic: len(await self._producer.partitions_for(topic)) for topic in {message.topic for message in messages}
        }
        for message in messages:
            await self._add(message, counts[message.topic])
        for partition in list(self._filling):
            await self._submit(partition)
        answers = await asyncio.gather(*self._sent, return_exceptions=True)
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures:
            raise failures[0]

    async def _add(self, message: Message, partition_count: int) -> None:
        partition = (message.topic, partition_of(message.key, partition_count))
        batch = self._filling.get(partition)
        if batch is not None and _append(batch, message):
            return
        if batch is not None:
            await self._submit(partition)
        self._filling[partition] = batch = self._producer.create_batch()
        _append(batch, message)  # the first message of a batch is taken whatever its size

    async def _submit(self, partition: _Partition) -> None:
        batch = self._filling.pop(partition)
        batch.close()
        self._sent.append(await self._producer.send_batch(batch, partition[0], partition=partition[1]))


@lru_cache(maxsize=65_536)
def partition_of(key: str, partition_count: int) -> int:
    """The partition of a key; remembered, because the hash in plain Python costs more than the rest of a message."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partition_count)


def _append(batch: Any, message: Message) -> bool:
    value = None if message.topic in COMPACTED_TOPICS and not message.value else message.value
    added = batch.append(timestamp=None, key=message.key.encode(), value=value, headers=list(message.headers))
    return added is not None
