"""What a service downstream sees: all alerts on Kafka, by a plain consumer, each valid by the published schema."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from jsonschema import Draft202012Validator

from tests.servers.kafka import Kafka
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = Draft202012Validator(json.loads((ROOT / "alerts/schema/alert.v1.json").read_text(encoding="utf-8")))

Alert = dict[str, Any]


class Downstream:
    """`alerts` in the order in which they came; the same revision may come more than once."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def of_device(self, device_id: str) -> dict[str, dict[int, Alert]]:
        """Alert id to revision number to revision, in the order of opening."""
        found: dict[str, dict[int, Alert]] = {}
        for alert in self.alerts:
            if alert["device_id"] == device_id:
                found.setdefault(alert["alert_id"], {})[alert["revision"]] = alert
        return found

    def revisions(self, device_id: str, place: int = 0) -> dict[int, Alert]:
        """The revisions of the device's first alert, or of a later one; empty when there is none yet."""
        chains = list(self.of_device(device_id).values())
        return chains[place] if len(chains) > place else {}

    async def revision(self, device_id: str, number: int, place: int = 0) -> Alert:
        def found() -> Alert | None:
            return self.revisions(device_id, place).get(number)

        answer = await eventually(found, 60, f"revision {number} of alert {place} of {device_id}")
        assert answer is not None
        return answer


@asynccontextmanager
async def downstream(kafka: Kafka) -> AsyncIterator[Downstream]:
    """Listen from the oldest alert on; the topic must be there."""
    heard = Downstream()
    consumer = AIOKafkaConsumer("sharpeyes.alerts", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")

    async def listen() -> None:
        async for message in consumer:
            alert = json.loads(message.value)
            SCHEMA.validate(alert)
            heard.alerts.append(alert)

    async with consumer:
        task = asyncio.create_task(listen())
        yield heard
        failed = task.done() and task.exception()
        task.cancel()
        assert not failed, f"an alert that breaks its schema: {failed}"
