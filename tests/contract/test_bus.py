"""The contract of the bus, on the embedded one and on Apache Kafka."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from alerts.bus import MAX_VALUE_BYTES, Bus, Message, Received, Subscription
from alerts.bus_file import KEPT_S, PRUNE_EVERY_MESSAGES, BusFile
from alerts.contract import DEAD_LETTER_SUFFIX, TOPIC_ALERTS, TOPIC_DEVICE_STATE
from alerts.embedded_bus import EmbeddedBus
from alerts.kafka_bus import TOPICS, KafkaBus
from runtime.clock import NS_PER_S
from runtime.errors import InvalidInputError, UnavailableError
from tests.servers.fixtures import Factory
from tests.servers.kafka import Kafka
from tests.waiting import eventually

TOPIC = TOPIC_ALERTS + DEAD_LETTER_SUFFIX
"""Nobody else reads it: what these tests send is no alert."""

OpenBus = Callable[[], Bus]


@pytest.fixture(params=["embedded", "kafka"])
def open_bus(request: pytest.FixtureRequest, tmp_path: Path) -> OpenBus:
    """Each call gives a bus on the same messages, as another process would have it."""
    if request.param == "embedded":
        return lambda: EmbeddedBus(tmp_path / "bus.db")
    kafka: Kafka = request.getfixturevalue("kafka")
    return lambda: KafkaBus(kafka.bootstrap, partitions=4)


@pytest.fixture
async def bus(open_bus: OpenBus) -> AsyncIterator[Bus]:
    opened = open_bus()
    await opened.start()
    yield opened
    await opened.stop()


@pytest.fixture
def mark() -> str:
    """Keys of this test begin with it: tests share the topics of one Kafka."""
    return f"t{uuid.uuid4().hex[:8]}"


def message(key: str, value: str = "{}", topic: str = TOPIC) -> Message:
    return Message(topic, key, value.encode(), (("ce_id", b"1.1"),))


async def take(subscription: Subscription, mark: str, count: int, timeout_s: float = 20) -> list[Received]:
    """The next `count` messages whose key begins with `mark`."""
    found: list[Received] = []
    async with asyncio.timeout(timeout_s):
        while len(found) < count:
            found += [item for item in await subscription.receive() if item.message.key.startswith(mark)]
    return found


def values(received: Sequence[Received]) -> list[str]:
    return [item.message.value.decode() for item in received]


async def test_messages_of_one_key_keep_their_order(bus: Bus, mark: str) -> None:
    await bus.publish([message(f"{mark}-{n % 3}", str(n)) for n in range(300)])
    async with bus.subscribe(TOPIC, mark) as subscription:
        found = await take(subscription, mark, 300)
    for key in range(3):
        of_key = [int(v) for v in values([r for r in found if r.message.key == f"{mark}-{key}"])]
        assert of_key == list(range(key, 300, 3))


async def test_a_message_arrives_with_its_key_value_and_header_bytes(bus: Bus, mark: str) -> None:
    sent = Message(TOPIC, f"{mark}-箱", "水位".encode(), (("ce_id", b"\x00\xff"), ("content-type", b"")))
    await bus.publish([sent])
    async with bus.subscribe(TOPIC, mark) as subscription:
        assert (await take(subscription, mark, 1))[0].message == sent


async def test_what_was_not_committed_comes_again_after_a_restart(open_bus: OpenBus, mark: str) -> None:
    first = open_bus()
    await first.start()
    await first.publish([message(mark, str(n)) for n in range(4)])
    async with first.subscribe(TOPIC, mark) as subscription:
        assert values(await take(subscription, mark, 4)) == ["0", "1", "2", "3"]
    await first.stop()
    second = open_bus()
    await second.start()
    async with second.subscribe(TOPIC, mark) as subscription:
        assert values(await take(subscription, mark, 4)) == ["0", "1", "2", "3"]
    await second.stop()


async def test_a_restart_goes_on_after_what_was_committed(open_bus: OpenBus, mark: str) -> None:
    first = open_bus()
    await first.start()
    await first.publish([message(mark, "before")])
    async with first.subscribe(TOPIC, mark) as subscription:
        await take(subscription, mark, 1)
        await subscription.commit()
    await first.publish([message(mark, "while away")])
    await first.stop()
    second = open_bus()
    await second.start()
    async with second.subscribe(TOPIC, mark) as subscription:
        assert values(await take(subscription, mark, 1)) == ["while away"]
    await second.stop()


async def test_each_group_gets_every_message(bus: Bus, mark: str) -> None:
    await bus.publish([message(mark, "once")])
    for group in ("a", "b"):
        async with bus.subscribe(TOPIC, f"{mark}-{group}") as subscription:
            assert values(await take(subscription, mark, 1)) == ["once"]
            await subscription.commit()


async def test_a_group_from_latest_gets_only_what_comes_after_it_entered(bus: Bus, mark: str) -> None:
    await bus.publish([message(mark, "old")])
    async with bus.subscribe(TOPIC, mark, from_latest=True) as subscription:
        await bus.publish([message(mark, "new")])
        assert values(await take(subscription, mark, 1)) == ["new"]


async def test_a_waiting_subscriber_gets_what_another_process_publishes(open_bus: OpenBus, bus: Bus, mark: str) -> None:
    other = open_bus()
    await other.start()
    async with bus.subscribe(TOPIC, mark) as subscription:
        waiting = asyncio.create_task(take(subscription, mark, 1))
        await asyncio.sleep(0)
        await other.publish([message(mark, "from outside")])
        assert values(await waiting) == ["from outside"]
    await other.stop()


async def test_a_cancelled_receive_loses_nothing(bus: Bus, mark: str) -> None:
    async with bus.subscribe(TOPIC, mark, from_latest=True) as subscription:
        waiting = asyncio.create_task(subscription.receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await bus.publish([message(mark, "kept")])
        assert values(await take(subscription, mark, 1)) == ["kept"]


async def test_the_largest_allowed_message_passes_and_a_larger_one_is_refused(bus: Bus, mark: str) -> None:
    async with bus.subscribe(TOPIC, mark, from_latest=True) as subscription:
        with pytest.raises(InvalidInputError, match="does not fit"):
            await bus.publish([message(mark, "small"), message(mark, "x" * (MAX_VALUE_BYTES + 1))])
        await bus.publish([message(mark, "x" * MAX_VALUE_BYTES)])
        received = await take(subscription, mark, 1)
        assert len(received[0].message.value) == MAX_VALUE_BYTES


async def test_the_newest_state_of_a_key_is_always_there(bus: Bus, mark: str) -> None:
    await bus.publish([message(mark, str(n), TOPIC_DEVICE_STATE) for n in range(3)])
    async with bus.subscribe(TOPIC_DEVICE_STATE, mark) as subscription:
        found: list[str] = []
        while "2" not in found:
            found += values(await take(subscription, mark, 1))


async def test_an_empty_value_removes_a_key_and_readers_hear_of_it(bus: Bus, mark: str) -> None:
    async with bus.subscribe(TOPIC_DEVICE_STATE, mark) as subscription:
        await bus.publish([message(mark, "state", TOPIC_DEVICE_STATE), message(mark, "", TOPIC_DEVICE_STATE)])
        async with asyncio.timeout(20):
            while (newest := (await take(subscription, mark, 1))[-1].message).value:
                pass
    assert newest == message(mark, "", TOPIC_DEVICE_STATE)


async def test_a_removal_is_a_tombstone_on_kafka_or_compaction_would_keep_the_key(kafka: Kafka, mark: str) -> None:
    from aiokafka import AIOKafkaConsumer

    bus = KafkaBus(kafka.bootstrap)
    await bus.publish([message(mark, "", TOPIC_DEVICE_STATE), message(mark, "")])
    await bus.stop()
    found: dict[str, bytes | None] = {}
    consumer = AIOKafkaConsumer(
        TOPIC, TOPIC_DEVICE_STATE, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(20):
        while len(found) < 2:
            record = await consumer.getone()
            if (record.key or b"").decode() == mark:
                found[record.topic] = record.value
    assert found == {TOPIC_DEVICE_STATE: None, TOPIC: b""}


def test_an_embedded_bus_forgets_removals_that_every_reader_has_had_a_week_to_see(tmp_path: Path) -> None:
    file = BusFile(tmp_path / "bus.db")
    file.append([message("gone", "", TOPIC_DEVICE_STATE), message("stays", "online", TOPIC_DEVICE_STATE)], 0)
    file.append([message("later") for _ in range(PRUNE_EVERY_MESSAGES)], (KEPT_S + 1) * NS_PER_S)
    assert [item.message.key for item in file.after(TOPIC_DEVICE_STATE, 0, 10)] == ["stays"]
    file.close()


async def test_kafka_topics_are_made_with_their_cleanup_policy(kafka: Kafka) -> None:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    bus = KafkaBus(kafka.bootstrap)
    await bus.ensure_topics()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    assert set(TOPICS) <= set(await admin.list_topics())
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC_DEVICE_STATE)])
    policies = [entry[1] for entry in answers[0].resources[0][4] if entry[0] == "cleanup.policy"]
    await admin.close()
    assert policies == ["compact"]


async def test_kafka_away_at_the_start_is_reported_and_works_once_it_is_there(own_kafka: Factory[Kafka]) -> None:
    server = own_kafka(start=False)
    bus = KafkaBus(server.bootstrap, partitions=1)
    await bus.start()
    with pytest.raises(UnavailableError, match=r"Kafka at 127\.0\.0\.1"):
        await bus.publish([message("k")])
    with pytest.raises(UnavailableError):
        async with bus.subscribe(TOPIC, "g"):
            pass
    await asyncio.to_thread(server.start)
    await bus.publish([message("k", "at last")])
    async with bus.subscribe(TOPIC, "g") as subscription:
        assert values(await take(subscription, "k", 1)) == ["at last"]
    await bus.stop()


async def test_kafka_killed_in_the_middle_loses_no_message(own_kafka: Factory[Kafka]) -> None:
    server = own_kafka()
    bus = KafkaBus(server.bootstrap, partitions=1)
    await bus.start()
    async with bus.subscribe(TOPIC, "g") as subscription:
        await bus.publish([message("k", "before")])
        await asyncio.to_thread(server.kill)
        with pytest.raises(UnavailableError):
            await bus.publish([message("k", "during")])
        await asyncio.to_thread(server.start)
        await eventually(lambda: published(bus, message("k", "during")), 40)
        found: list[str] = []
        async with asyncio.timeout(40):
            while not {"before", "during"} <= set(found):
                found += values(await subscription.receive())
        await subscription.commit()
    await bus.stop()


async def published(bus: Bus, what: Message) -> bool:
    try:
        await bus.publish([what])
    except UnavailableError:
        return False
    return True


async def test_stopping_while_kafka_is_away_does_not_hang(own_kafka: Factory[Kafka]) -> None:
    server = own_kafka()
    bus = KafkaBus(server.bootstrap, partitions=1)
    await bus.start()
    async with bus.subscribe(TOPIC, "g") as subscription:
        await asyncio.to_thread(server.kill)
        async with asyncio.timeout(4):
            await bus.stop()
            await subscription.__aexit__(None, None, None)


async def test_an_embedded_bus_on_a_folder_that_cannot_be_written_says_so_and_recovers(tmp_path: Path) -> None:
    blocked = tmp_path / "data"
    blocked.write_text("a file where the folder should be")
    bus = EmbeddedBus(blocked / "bus.db")
    await bus.start()
    with pytest.raises(UnavailableError, match="cannot be used"):
        await bus.publish([message("k")])
    blocked.unlink()
    await bus.publish([message("k")])
    await bus.stop()
