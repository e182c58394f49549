"""`sharpeyes up` on its embedded parts: one data folder, one process at a time, and every start goes on."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from devices.model import CallBox
from tests.command import refused, sharpeyes
from tests.mqtt_device import MqttDevice
from tests.roles import RoleProcess, register
from tests.servers.process import HOST, free_port
from tests.servers.rtsp import RtspServer
from tests.street import street_camera
from tests.waiting import eventually

BOX_ID = "up-box"
HEAR_S = 60
CTRL_C_S = 5.0


def opened_by(up: RoleProcess) -> set[str]:
    return {event["alert"] for event in up.log_events("alert")}


def listed(data: Path) -> dict[str, str]:
    """Alert id to status, as a person in a second terminal gets them."""
    ended = sharpeyes(data, "alerts", "list", "--json", "--limit", "1000")
    assert ended.returncode == 0, ended.stderr
    return {alert["alert_id"]: alert["status"] for alert in json.loads(ended.stdout)["alerts"]}


def waiting(data: Path) -> int:
    """Messages in the outboxes of both parts."""
    total = 0
    for name in ("worker.ledger.db", "bridge.ledger.db"):
        with closing(sqlite3.connect(f"file:{data / name}?mode=ro", uri=True)) as ledger:
            total += ledger.execute("SELECT count(*) FROM outbox").fetchone()[0]
    return total


@pytest.mark.timeout(240)
async def test_a_second_start_goes_on_and_a_second_process_is_refused(rtsp_server: RtspServer, tmp_path: Path) -> None:
    camera = street_camera("up-street", rtsp_server.url("street"), cooldown_s=1)
    register(tmp_path, None, camera, CallBox(callbox_id=BOX_ID, name="王奶奶家", site_id="village"))
    port = free_port()
    settings = {"mqtt_listen_port": port, "clip_max_s": 5, "pre_roll_s": 1, "post_roll_s": 1, "language": "en"}
    with RoleProcess("up", tmp_path, settings) as up:
        with MqttDevice(HOST, port, BOX_ID) as box:
            await asyncio.to_thread(box.press, "call", 1)
            await asyncio.to_thread(box.wait_for, "ringing", HEAR_S)
        second = await asyncio.to_thread(sharpeyes, tmp_path, "up")
        refused(second, f"a worker already runs on the folder {tmp_path}", "Stop it", "--data")
        await eventually(lambda: len(opened_by(up)) >= 2, HEAR_S, "two alerts of the camera")
        up.kill()
        before = opened_by(up)
        await asyncio.to_thread(up.start)
        with MqttDevice(HOST, port, BOX_ID) as box:
            await asyncio.to_thread(box.press, "hangup", 2)
            await asyncio.to_thread(box.wait_for, "closed", HEAR_S)
        await eventually(lambda: waiting(tmp_path) == 0, HEAR_S, "the outboxes to be empty")
        await eventually(lambda: len(opened_by(up)) > len(before), HEAR_S, "new alerts after the second start")
        began_s = time.monotonic()
        assert up.interrupt(timeout_s=4 * CTRL_C_S) == 0, up.log_tail()
        assert time.monotonic() - began_s < CTRL_C_S
        log = up.log_path.read_text(encoding="utf-8")
    statuses = listed(tmp_path)
    assert before <= statuses.keys()
    assert "closed" in statuses.values(), "the call of before the kill"
    assert "Traceback" not in log
