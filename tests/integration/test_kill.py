"""Worker and bridge are killed at ten random instants, while people walk and boxes are pressed: nothing is lost."""

import asyncio
import json
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from devices.model import CallBox
from tests.downstream import Downstream, downstream
from tests.mqtt_device import MqttDevice
from tests.roles import RoleProcess, on_kafka, on_minio, on_mosquitto, register
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.rtsp import RtspServer
from tests.street import street_camera
from tests.waiting import eventually

KILLS = 10
SEED = 20261121
LONGEST_LIFE_S = 3.0
BOXES = 3
CAMERA_ID = "kill-street"
REPEAT_S = 1.0
"""A box says a press again after this long without `ack`."""

SETTLE_S = 120


class PersistentBox:
    """A good call box: presses call and hang-up in turn, repeats each press until it hears its `ack`."""

    def __init__(self, device: MqttDevice) -> None:
        self.device = device
        self.calls = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=device.device_id, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """End after a hang-up that was acknowledged."""
        self._stopping.set()
        self._thread.join(SETTLE_S)
        assert not self._thread.is_alive(), f"{self.device.device_id} was never acknowledged: {self.device.heard[-3:]}"

    def _run(self) -> None:
        seq = 0
        while not self._stopping.is_set():
            for key in ("call", "hangup"):
                seq += 1
                self._press_until_acknowledged(key, seq)
            self.calls += 1

    def _press_until_acknowledged(self, key: str, seq: int) -> None:
        acknowledged = {"cmd": "ack", "boot": "boot-1", "seq": seq}
        patience = threading.Event()
        while acknowledged not in self.device.heard:
            self.device.press(key, seq)
            for _ in range(int(REPEAT_S / 0.02)):
                if acknowledged in self.device.heard or patience.wait(0.02):
                    break


@contextmanager
def pressed_boxes(mosquitto: Mosquitto) -> Iterator[list[PersistentBox]]:
    devices = [MqttDevice(mosquitto.host, mosquitto.port, f"kill-box-{number}") for number in range(BOXES)]
    for device in devices:
        device.__enter__()
    try:
        yield [PersistentBox(device) for device in devices]
    finally:
        for device in devices:
            device.__exit__(None, None, None)


def kill_again_and_again(roles: list[RoleProcess], seed: int) -> None:
    """Let them live for a random time, kill all at once, start them again; ends with all running."""
    rng = random.Random(seed)
    pause = threading.Event()
    for _ in range(KILLS):
        pause.wait(rng.uniform(0.0, LONGEST_LIFE_S))
        for role in roles:
            role.kill()
        for role in roles:
            role.start()


def committed(ledger: Path) -> set[tuple[str, int]]:
    """(alert, revision) of everything a ledger has at its latest revision."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        return set(connection.execute("SELECT alert_id, revision FROM alerts").fetchall())


def logged_alerts(role: RoleProcess) -> set[str]:
    """The alerts that the worker said it had opened, over all its lives."""
    lines = [line for line in role.log_path.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    return {event["alert"] for event in map(json.loads, lines) if event.get("event") == "alert"}


def check_chains(heard: Downstream, device_id: str) -> None:
    for alert_id, chain in heard.of_device(device_id).items():
        assert sorted(chain) == list(range(1, len(chain) + 1)), f"{device_id} {alert_id}: a revision is missing"


@pytest.mark.timeout(400)
async def test_ten_kills_lose_no_press_and_no_alert(
    kafka: Kafka, minio: MinioServer, mosquitto: Mosquitto, postgres: Postgres, rtsp_server: RtspServer, tmp_path: Path
) -> None:
    database = postgres.create_database()
    boxes = [CallBox(callbox_id=f"kill-box-{number}", name="王奶奶家", site_id="village") for number in range(BOXES)]
    register(tmp_path, database, street_camera(CAMERA_ID, rtsp_server.url("street"), cooldown_s=1), *boxes)
    shared = {**on_kafka(kafka), **on_mosquitto(mosquitto), **on_minio(minio, "kills"), "database_url": database}
    short = {"clip_max_s": 6, "pre_roll_s": 2, "post_roll_s": 1}
    worker = RoleProcess("worker", tmp_path, {**shared, **short, "instance": "kill-worker"})
    bridge = RoleProcess("bridge", tmp_path, {**shared, "instance": "kill-bridge"})
    with worker, bridge, pressed_boxes(mosquitto) as pressed:
        async with downstream(kafka) as heard:
            for box in pressed:
                box.start()
            await asyncio.to_thread(kill_again_and_again, [worker, bridge], SEED)
            for box in pressed:
                await asyncio.to_thread(box.finish)
            await check_calls(heard, pressed, tmp_path / "bridge.ledger.db")
            await check_camera_alerts(heard, worker, tmp_path / "worker.ledger.db")


async def check_calls(heard: Downstream, pressed: list[PersistentBox], ledger: Path) -> None:
    """As many calls as green presses, each with all its revisions, on Kafka."""
    for box in pressed:
        device_id = box.device.device_id
        assert box.calls > 0

        def all_closed(device_id: str = device_id, calls: int = box.calls) -> bool:
            chains = heard.of_device(device_id).values()
            return len(chains) == calls and all(chain[max(chain)]["status"] == "closed" for chain in chains)

        await eventually(all_closed, SETTLE_S, f"{box.calls} closed calls of {device_id} on Kafka")
        check_chains(heard, device_id)
    on_kafka_now = {(alert["alert_id"], alert["revision"]) for alert in heard.alerts}
    assert committed(ledger) <= on_kafka_now


async def check_camera_alerts(heard: Downstream, worker: RoleProcess, ledger: Path) -> None:
    """Every alert that the worker committed is on Kafka, and its clip is stored or known to be lost."""
    worker.stop()
    opened = logged_alerts(worker)
    assert len(opened) >= KILLS // 2, "too few alerts to prove anything"
    worker.start()  # what the last life left in the outbox and in the spool

    def is_settled() -> bool:
        chains = heard.of_device(CAMERA_ID)
        ends = {alert_id: chain[max(chain)]["clip_state"] for alert_id, chain in chains.items()}
        return opened <= ends.keys() and all(ends[alert_id] in {"ready", "lost"} for alert_id in opened)

    await eventually(is_settled, SETTLE_S, "all camera alerts on Kafka with their clip or without it")
    check_chains(heard, CAMERA_ID)
    worker.stop()
    latest = {alert["alert_id"]: alert["revision"] for alert in heard.alerts if alert["device_id"] == CAMERA_ID}
    assert opened <= {alert_id for alert_id, _ in committed(ledger)} | latest.keys()
    ready = [chain for chain in heard.of_device(CAMERA_ID).values() if chain[max(chain)]["clip_state"] == "ready"]
    assert ready, "not one clip survived"
