"""A case system: takes alerts from Kafka, checks them by their schema, answers accepted, then resolved.

Usage: python examples/case_system.py [KAFKA_SERVERS], which is 127.0.0.1:9092 unless given.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parent.parent / "alerts/schema/alert.v1.json").read_text(encoding="utf-8"))


def answer(alert: dict[str, object], status: str) -> bytes:
    update = {"update_id": str(uuid.uuid4()), "alert_id": alert["alert_id"], "status": status, "by": "example"}
    return json.dumps({**update, "at": datetime.now(UTC).isoformat()}).encode()


async def run(servers: str) -> None:
    check = Draft202012Validator(SCHEMA)
    group = {"group_id": "example-case-system", "auto_offset_reset": "earliest", "enable_auto_commit": False}
    alerts = AIOKafkaConsumer("sharpeyes.alerts", bootstrap_servers=servers, **group)
    answers = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True)
    async with alerts, answers:
        async for message in alerts:
            alert = json.loads(message.value)
            check.validate(alert)
            print(alert["alert_id"], alert["revision"], alert["change"], alert["summary"]["en"], flush=True)
            for status in ("accepted", "resolved") if alert["revision"] == 1 else ():
                key = alert["alert_id"].encode()
                await answers.send_and_wait("sharpeyes.case-updates", answer(alert, status), key)
            await alerts.commit()


asyncio.run(run(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"))
