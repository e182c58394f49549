"""The bus on Apache Kafka: an idempotent producer with acks=all, topics made when missing, manual commits.

Runs on the loop. Connects when first used and again after an outage. A publication that is not confirmed within
PUBLISH_TIMEOUT_S raises `UnavailableError`, and its producer is dropped with what it still held, so a retry cannot be
overtaken by it for long. Readers wait through an outage.
"""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError, for_code

from alerts.bus import COMPACTED_TOPICS, Message, check_size
from alerts.contract import DEAD_LETTER_SUFFIX, TOPIC_ALERTS, TOPIC_CASE_UPDATES, TOPIC_DEVICE_STATE
from alerts.kafka_batches import BATCH_BYTES, BatchedPublication
from alerts.kafka_subscription import KafkaSubscription
from runtime.errors import InvalidInputError, UnavailableError
from runtime.language import say
from runtime.log import get_logger

TOPICS = (
    TOPIC_ALERTS,
    TOPIC_ALERTS + DEAD_LETTER_SUFFIX,
    TOPIC_CASE_UPDATES,
    TOPIC_CASE_UPDATES + DEAD_LETTER_SUFFIX,
    TOPIC_DEVICE_STATE,
)

REQUEST_TIMEOUT_MS = 5_000
"""A broker that does not answer a request for this long is taken for dead."""

PUBLISH_TIMEOUT_S = 10.0
"""Two tries of the client itself, then the caller hears of it."""

CLOSE_TIMEOUT_S = 1.0
"""The client's own close flushes, and waits for ever while the broker is away."""

_log = get_logger(__name__)


class KafkaBus:
    """`KafkaBus("host:9092", partitions, replication)`; several servers are separated by commas."""

    def __init__(self, bootstrap: str, partitions: int = 12, replication: int = 1) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._replication = replication
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()
        self._has_topics = False

    async def start(self) -> None:
        """Connect if the brokers are there."""
        try:
            await self._connected()
        except UnavailableError as error:
            _log.warning("Kafka is not there yet, it is tried again when needed", reason=str(error))

    async def stop(self) -> None:
        """Drop the connection."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when all in-sync replicas have the messages."""
        for message in messages:
            check_size(message)
        producer = await self._connected()
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await BatchedPublication(producer).send(messages)
        except MessageSizeTooLargeError:
            raise InvalidInputError(
                say(
                    zh="Kafka 认为消息过大而拒收：请调大 Kafka 的 message.max.bytes",
                    en="Kafka refuses a message as too large: raise message.max.bytes there",
                )
            ) from None
        except (KafkaError, TimeoutError, OSError) as error:
            await self._drop(producer)
            raise self._away(error) from None

    def subscribe(self, topic: str, group: str, *, from_latest: bool = False) -> KafkaSubscription:
        """Take part in `group`; see `alerts.bus.Bus`."""
        return KafkaSubscription(self._bootstrap, topic, group, from_latest=from_latest, ready=self.ensure_topics)

    async def ensure_topics(self) -> None:
        """Make the topics that are missing; once a process."""
        if self._has_topics:
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS)
        try:
            await admin.start()
            missing = sorted(set(TOPICS) - set(await admin.list_topics()))
            if missing:
                await self._create(admin, missing)
        except (KafkaError, TimeoutError, OSError) as error:
            raise self._away(error) from None
        finally:
            await admin.close()
        self._has_topics = True

    async def _create(self, admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
        answer = await admin.create_topics([self._new_topic(name) for name in names])
        for name, code, *words in answer.topic_errors:
            error = for_code(code)
            if code != 0 and error is not TopicAlreadyExistsError:
                why = words[0] if words else error.__name__
                raise UnavailableError(
                    say(
                        zh=f"Kafka 主题 {name} 不存在，也无法新建（{why}）：请手工新建，或授予该用户新建的权限",
                        en=f"Kafka topic {name} does not exist and cannot be made ({why}): make it by hand or allow "
                        "this user to",
                    )
                )

    def _new_topic(self, name: str) -> NewTopic:
        configs = {"cleanup.policy": "compact"} if name in COMPACTED_TOPICS else {}
        return NewTopic(name, self._partitions, self._replication, topic_configs=configs)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                await self.ensure_topics()
                self._producer = await self._new_producer()
            return self._producer

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            client_id="sharpeyes",
        )
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await _close(producer)
            raise self._away(error) from None
        return producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        await _close(producer)

    def _away(self, error: Exception) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(
            say(
                zh=f"Kafka（{self._bootstrap}）不可用：{reason}",
                en=f"Kafka at {self._bootstrap} is not available: {reason}",
            )
        )


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await producer.stop()
    except (KafkaError, TimeoutError, OSError):
        await producer._sender.close()  # the client has no public way to close without flushing
        await producer.client.close()
