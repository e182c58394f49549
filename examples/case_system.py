"""A case system: takes alerts from Kafka, checks them by their schema, answers accepted, then resolved."""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from jsonschema import Draft202012Validator, ValidationError

SCHEMA = Path(__file__).parent.parent / "alerts/schema/alert.v1.json"
CHECK = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def answer(alert_id: str, status: str) -> bytes:
    update = {"update_id": str(uuid.uuid4()), "alert_id": alert_id, "status": status, "by": "example"}
    return json.dumps({**update, "at": datetime.now(UTC).isoformat()}).encode()


async def run(servers: str) -> None:
    group = {"group_id": "example-case-system", "auto_offset_reset": "earliest", "enable_auto_commit": False}
    alerts = AIOKafkaConsumer("sharpeyes.alerts", bootstrap_servers=servers, **group)
    answers = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True)
    async with alerts, answers:
        async for message in alerts:
            try:
                CHECK.validate(alert := json.loads(message.value))
            except (ValueError, ValidationError) as error:
                print("not an alert:", str(error).splitlines()[0], file=sys.stderr)
                continue
            alert_id = alert["alert_id"]
            print(alert_id, alert["revision"], alert["change"], alert["summary"]["en"], flush=True)
            for status in ("accepted", "resolved") if alert["revision"] == 1 else ():
                await answers.send_and_wait("sharpeyes.case-updates", answer(alert_id, status), alert_id.encode())
            await alerts.commit()


asyncio.run(run(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"))
