"""`sharpeyes alerts` in a second terminal beside running parts: embedded, and on Kafka and PostgreSQL."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alerts.case_updates import CaseUpdateConsumer
from alerts.contract import AlertV1
from alerts.ledger import Ledger
from alerts.open_bus import open_bus
from alerts.relay import Relay
from alerts.settings import BusSettings
from alerts.store import AlertStore, open_alert_store
from alerts.store_writer import StoreWriter
from runtime.clock import SystemClock
from runtime.health import Health
from tests.servers.fixtures import Factory
from tests.servers.kafka import Kafka
from tests.servers.postgres import Postgres
from tests.unit.alerts.examples import camera_alert
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent.parent


class Around:
    """An owner of alerts, the alert store and the environment of a second terminal."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        self.data = data
        self.environment = {**os.environ, **environment, "SHARPEYES_DATA": str(data), "SHARPEYES_LANGUAGE": "en"}
        self.kafka = environment.get("SHARPEYES_KAFKA_BOOTSTRAP")
        self.database_url = environment.get("SHARPEYES_DATABASE_URL")
        self.device_id = f"cam-{uuid.uuid4().hex[:8]}"
        self.ledger = Ledger(data / "worker.ledger.db", f"worker-{self.device_id}")
        self.store: AlertStore

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Around"]:
        bus = open_bus(BusSettings(kafka_bootstrap=self.kafka, kafka_partitions=1), self.data)
        self.store = await asyncio.to_thread(open_alert_store, self.database_url, self.data)
        await bus.start()
        async with self.ledger:
            clock, health = SystemClock(), Health()
            writer = StoreWriter(bus, self.store, health, clock)
            relay, consumer = Relay("test", self.ledger, bus, health), CaseUpdateConsumer(self.ledger, bus)
            tasks = [asyncio.create_task(work()) for work in (relay.run, consumer.run, writer.write_alerts)]
            yield self
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await bus.stop()
        self.store.close()

    async def open_alert(self) -> AlertV1:
        alert = camera_alert(opened_ns=SystemClock().now_ns(), device_id=self.device_id, owner=self.ledger.owner)
        await self.ledger.apply(lambda txn: txn.put(alert))
        return alert

    def is_stored(self, alert: AlertV1) -> bool:
        return bool(self.store.history(alert.alert_id))

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        code = "from console.cli import main; main()"
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, "alerts", *words, env=self.environment, stdout=pipe, stderr=pipe, cwd=ROOT
        )

    async def sharpeyes(self, *words: str) -> tuple[int, str, str]:
        process = await self.start(*words)
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()


@pytest.fixture(params=["embedded", "real"])
async def around(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Around]:
    environment = {}
    if request.param == "real":
        kafka: Kafka = request.getfixturevalue("kafka")
        postgres: Postgres = request.getfixturevalue("postgres")
        environment = {
            "SHARPEYES_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "SHARPEYES_DATABASE_URL": postgres.create_database(),
        }
    async with Around(tmp_path, environment).running() as running:
        yield running


async def json_line(stream: asyncio.StreamReader | None) -> dict[str, Any]:
    assert stream is not None
    async with asyncio.timeout(30):
        found: dict[str, Any] = json.loads(await stream.readline())
        return found


async def test_an_alert_is_listed_shown_watched_and_answered_from_a_second_terminal(around: Around) -> None:
    watching = await around.start("watch", "--json", "--device", around.device_id)
    assert watching.stderr is not None
    async with asyncio.timeout(60):
        while b"Waiting" not in (said := await watching.stderr.readline()):
            assert said, "the watcher ended"
    alert = await around.open_alert()
    assert (await json_line(watching.stdout))["alert_id"] == alert.alert_id
    await eventually(lambda: around.is_stored(alert), 30)

    prefix = alert.alert_id[:20].lower()
    code, output, errors = await around.sharpeyes("answer", prefix, "accepted", "--by", "Wang", "--note", "on the way")
    assert (code, "Answered" in errors) == (0, True), errors
    assert "#2 acknowledged" in output
    second = await json_line(watching.stdout)
    assert (second["revision"], second["status"], second["case"]["by"]) == (2, "acknowledged", "Wang")

    listed = json.loads((await around.sharpeyes("list", "--json", "--device", around.device_id, "--since", "1h"))[1])
    assert [(found["alert_id"], found["revision"]) for found in listed["alerts"]] == [(alert.alert_id, 2)]
    assert json.loads((await around.sharpeyes("list", "--json", "--status", "closed"))[1])["alerts"] == []
    shown = json.loads((await around.sharpeyes("show", alert.alert_id, "--json"))[1])
    assert [past["revision"] for past in shown["history"]] == [1, 2]
    assert "on the way" in (await around.sharpeyes("show", prefix))[1]

    code, _, errors = await around.sharpeyes("show", "zz")
    assert (code, "no alert" in errors) == (2, True)
    assert (await around.sharpeyes("answer", prefix, "resolved"))[0] == 0
    code, _, errors = await around.sharpeyes("answer", prefix, "accepted")
    assert (code, "resolved" in errors) == (2, True)

    watching.send_signal(signal.SIGINT)
    async with asyncio.timeout(10):
        _, errors_left = await watching.communicate()
    assert (watching.returncode, b"Traceback" in errors_left) == (0, False)


async def test_the_example_case_system_answers_an_alert(own_kafka: Factory[Kafka], tmp_path: Path) -> None:
    kafka = own_kafka()
    async with Around(tmp_path, {"SHARPEYES_KAFKA_BOOTSTRAP": kafka.bootstrap}).running() as around:
        alert = await around.open_alert()
        await eventually(lambda: around.is_stored(alert), 30)
        example = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "examples/case_system.py"), kafka.bootstrap, stdout=asyncio.subprocess.PIPE
        )
        try:
            await eventually(lambda: len(around.store.history(alert.alert_id)) == 3, 40)
        finally:
            example.kill()
            await example.wait()
        changes = [str(revision.change) for revision in around.store.history(alert.alert_id)]
        assert changes == ["opened", "acknowledged", "resolved"]
