"""Answers of a case system that are wrong go to the dead-letter topic with the reason; the good ones beside them count.

A plain Kafka producer sends them, a plain consumer reads the dead letters; the bridge runs as a process of its own.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from devices.model import CallBox
from tests.downstream import downstream
from tests.mqtt_device import MqttDevice
from tests.roles import RoleProcess, on_kafka, on_mosquitto, register
from tests.servers.kafka import Kafka
from tests.servers.mosquitto import Mosquitto
from tests.waiting import eventually

BOX_ID = "case-box"
TOPIC = "sharpeyes.case-updates"
HEAR_S = 40
HUGE_BYTES = 2_000_000
KEPT_BYTES = 262_144


def update(update_id: str, alert_id: str, status: object, note: str = "") -> bytes:
    words = {"update_id": update_id, "alert_id": alert_id, "status": status, "by": "case system", "note": note}
    return json.dumps({**words, "at": "2026-05-01T08:00:00Z"}).encode()


def poison(alert_id: str) -> dict[str, tuple[bytes, str]]:
    """Name to payload and a word of the reason. Each holds its name, by which its dead letter is known."""
    return {
        "poison-not-json": (b"poison-not-json \xff\xfe", "cannot be read"),
        "poison-nan": (update("poison-nan", alert_id, "accepted").replace(b'"2026-05-01T08:00:00Z"', b"NaN"), "read"),
        "poison-type": (update("poison-type", alert_id, 7), "$.status"),
        "poison-nest": (b'{"poison-nest": ' + b"[" * 100_000, "cannot be read"),
        "poison-huge": (update("poison-huge", alert_id, "accepted", "x" * HUGE_BYTES), "bytes: at most"),
        "poison-unknown": (update("poison-unknown", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "accepted"), "unknown alert"),
    }


@asynccontextmanager
async def dead_letters(kafka: Kafka) -> AsyncIterator[dict[str, tuple[str, int]]]:
    """Name of the poison to the reason in its header and the bytes kept of it."""
    found: dict[str, tuple[str, int]] = {}
    consumer = AIOKafkaConsumer(f"{TOPIC}.dlq", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")

    async def listen() -> None:
        async for message in consumer:
            reason = dict(message.headers)["dlq_reason"].decode()
            found.update(
                {name: (reason, len(message.value)) for name in [*poison(""), "late"] if name.encode() in message.value}
            )

    async with consumer:
        task = asyncio.create_task(listen())
        yield found
        task.cancel()


async def let_huge_messages_in(kafka: Kafka) -> None:
    """As an administrator might have: otherwise Kafka itself refuses them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"max.message.bytes": "4194304"})])
    await admin.close()


@pytest.mark.timeout(200)
async def test_bad_case_updates_are_dead_lettered_with_the_reason_and_good_ones_beside_them_applied(
    kafka: Kafka, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    register(tmp_path, None, CallBox(callbox_id=BOX_ID, name="王奶奶家", site_id="village"))
    settings = {**on_kafka(kafka), **on_mosquitto(mosquitto), "instance": "case-bridge"}
    with RoleProcess("bridge", tmp_path, settings), MqttDevice(mosquitto.host, mosquitto.port, BOX_ID) as box:
        await asyncio.to_thread(box.press, "call", 1)
        await asyncio.to_thread(box.wait_for, "ringing", HEAR_S)
        await let_huge_messages_in(kafka)
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=4 << 20)
        async with downstream(kafka) as heard, dead_letters(kafka) as letters, producer:
            alert_id = (await heard.revision(BOX_ID, 1))["alert_id"]
            sent = poison(alert_id)
            key = BOX_ID.encode()
            for payload, _ in sent.values():
                await producer.send(TOPIC, payload, key=key)
            await producer.send(TOPIC, update("good-1", alert_id, "accepted", "马上到"), key=key)
            await producer.send(TOPIC, update("good-2", alert_id, "resolved"), key=key)
            await producer.send(TOPIC, update("late", alert_id, "accepted"), key=key)
            await producer.flush()
            await asyncio.to_thread(box.wait_for, "answered", HEAR_S)
            await asyncio.to_thread(box.wait_for, "rate", HEAR_S)
            await eventually(lambda: letters.keys() >= {*sent, "late"}, HEAR_S, f"dead letters of all: {[*letters]}")
    for name, (payload, word) in sent.items():
        reason, kept_bytes = letters[name]
        assert word in reason
        assert kept_bytes == min(len(payload), KEPT_BYTES)
    assert "out of order: the alert is rating" in letters["late"][0]
    statuses = [revision["case"]["note"] for revision in heard.revisions(BOX_ID).values() if revision.get("case")]
    assert statuses[0] == "马上到"
