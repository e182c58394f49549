"""The records of a Kafka topic with the broker's own time of appending, read when the measuring is over."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 12
READ_MS = 2000


async def make_topic(bootstrap: str, topic: str) -> None:
    """A topic whose records bear the time at which the broker appended them, to the millisecond."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=configs)])
    finally:
        await admin.close()


async def records(bootstrap: str, topic: str) -> AsyncIterator[Any]:
    """All records of a topic from `make_topic` up to its present end; each has `timestamp` (ms), `key` and `value`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for found in (await consumer.getmany(timeout_ms=READ_MS)).values():
                for record in found:
                    yield record
    finally:
        await consumer.stop()
