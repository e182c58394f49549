"""Kafka, MinIO, PostgreSQL and Mosquitto away, at the start of a role and in its middle, or there and frozen.

The roles are processes of their own. What was found or pressed meanwhile is kept, said to be kept, and arrives.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alerts.store import open_alert_store
from devices.model import CallBox
from tests.downstream import Alert, Downstream, downstream
from tests.mqtt_device import MqttDevice
from tests.roles import RoleProcess, on_kafka, on_minio, on_mosquitto, register
from tests.servers.fixtures import Factory
from tests.servers.hostile_rtsp import HostileRtsp
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import PASSWORD, PASSWORD_IN_URL, Postgres
from tests.servers.process import ServerProcess
from tests.servers.rtsp import RtspServer
from tests.street import street_camera
from tests.waiting import eventually

CAMERA_ID = "outage-street"
BOX_ID = "outage-box"
HEAR_S = 30
BACK_S = 60
"""A server comes back within seconds, its clients' back-off takes up to 30 s."""

SHORT_CLIPS = {"clip_max_s": 5, "pre_roll_s": 1, "post_roll_s": 1}
CTRL_C_S = 5.0


async def start(*servers: ServerProcess) -> None:
    await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))


async def says(role: RoleProcess, part: str, *words: str) -> None:
    """The role goes on and names what is away, with the reason, and without any password."""

    def is_said() -> bool:
        reason = role.reason(part)
        return bool(reason) and all(word in reason for word in words)

    await eventually(is_said, HEAR_S, f"/readyz to say {words} of {part}: {role.reason(part)!r}")
    assert PASSWORD not in role.reason(part)


async def part_is_well(role: RoleProcess, part: str) -> None:
    await eventually(lambda: role.parts().get(part, {}).get("well"), BACK_S, f"{part} to be well")


async def is_well(role: RoleProcess, *parts: str) -> None:
    def all_well() -> bool:
        found = role.ready_parts()
        return found is not None and all(role.parts().get(part, {}).get("well") for part in parts)

    await eventually(all_well, BACK_S, f"{role.name} ready and well again: {role.parts()}")


def opened_by(role: RoleProcess) -> list[str]:
    """The alerts that the worker has committed, in their order."""
    return [event["alert"] for event in role.log_events("alert")]


async def more_alerts(role: RoleProcess, count: int) -> None:
    before = len(opened_by(role))
    await eventually(lambda: len(opened_by(role)) >= before + count, BACK_S, f"{count} more alerts")


def check_order(heard: Downstream, device_id: str, opened: list[str]) -> None:
    """All that was opened is there, in its order, each with all its revisions in theirs."""
    first_heard = dict.fromkeys((alert["alert_id"], alert["revision"]) for alert in heard.alerts)
    order = [alert_id for alert_id, revision in first_heard if revision == 1 and alert_id in set(opened)]
    assert order == opened
    for alert_id, chain in heard.of_device(device_id).items():
        assert [number for name, number in first_heard if name == alert_id] == list(range(1, max(chain) + 1))


@pytest.mark.timeout(300)
async def test_a_worker_loses_no_alert_and_no_clip_while_its_servers_are_away(
    own_kafka: Factory[Kafka],
    own_minio: Factory[MinioServer],
    own_postgres: Factory[Postgres],
    rtsp_server: RtspServer,
    tmp_path: Path,
) -> None:
    kafka, minio, postgres = own_kafka(start=False), own_minio(start=False), own_postgres()
    database = postgres.create_database()
    register(tmp_path, database, street_camera(CAMERA_ID, rtsp_server.url("street"), cooldown_s=1))
    postgres.stop()
    servers = {**on_kafka(kafka), **on_minio(minio, "outages"), "database_url": database}
    worker = RoleProcess("worker", tmp_path, {**servers, **SHORT_CLIPS, "language": "en", "kafka_partitions": 2})
    worker.must_be_ready = False
    with worker:
        await says(worker, "registry", "database", "not available")
        assert worker.ready_parts() is None, "without its registry a worker has nothing to watch"
        await start(postgres)
        await more_alerts(worker, 2)
        assert worker.ready_parts() is not None, "Kafka and MinIO are not needed for that"
        await says(worker, "worker bus", f"Kafka at {kafka.bootstrap} is not available")
        await says(worker, "object store", minio.endpoint, "does not answer")
        assert 'sharpeyes_outbox_waiting{ledger="worker"} 0.0' not in worker.metrics()
        await start(kafka)
        await is_well(worker, "worker bus")
        async with downstream(kafka) as heard:
            await heard.revision(CAMERA_ID, 1)
            assert 2 not in heard.revisions(CAMERA_ID), "revision 1 does not wait for the clip"
            await start(minio)
            assert (await heard.revision(CAMERA_ID, 2))["clip_state"] == "ready"
        await is_well(worker, "worker bus", "object store", "registry")
        for server in (postgres, minio, kafka):
            server.kill()
        await more_alerts(worker, 2)
        await says(worker, "registry", "database", "not available")
        await says(worker, "worker bus", kafka.bootstrap)
        await says(worker, "object store", minio.endpoint)
        assert worker.ready_parts() is not None, "it goes on"
        await start(kafka, minio, postgres)
        await is_well(worker, "worker bus", "object store", "registry")
        worker.stop()
        opened = opened_by(worker)
        worker.start()  # what the stop left in spool and outbox
        async with downstream(kafka) as heard:
            await all_settled(heard, opened)
            check_order(heard, CAMERA_ID, opened)
            clips = [chain[max(chain)]["clip_state"] for chain in heard.of_device(CAMERA_ID).values()]
        assert clips.count("ready") >= len(opened) - 1, "an outage costs no clip; the stop may have cost one"
        log = worker.log_path.read_text(encoding="utf-8")
    assert PASSWORD not in log
    assert PASSWORD_IN_URL not in log


async def all_settled(heard: Downstream, opened: list[str]) -> None:
    def is_settled() -> bool:
        ends = {alert_id: chain[max(chain)] for alert_id, chain in heard.of_device(CAMERA_ID).items()}
        return all(alert_id in ends and ends[alert_id]["clip_state"] in {"ready", "lost"} for alert_id in opened)

    await eventually(is_settled, BACK_S, f"all of {len(opened)} alerts on Kafka, with their clips")


@pytest.mark.timeout(300)
async def test_a_bridge_acknowledges_presses_and_loses_none_while_its_servers_are_away(
    own_kafka: Factory[Kafka], own_mosquitto: Factory[Mosquitto], own_postgres: Factory[Postgres], tmp_path: Path
) -> None:
    kafka, mosquitto, postgres = own_kafka(start=False), own_mosquitto(start=False), own_postgres()
    database = postgres.create_database()
    register(tmp_path, database, CallBox(callbox_id=BOX_ID, name="王奶奶家", site_id="village"))
    postgres.stop()
    settings = {**on_kafka(kafka), **on_mosquitto(mosquitto), "database_url": database, "language": "en"}
    bridge = RoleProcess("bridge", tmp_path, {**settings, "kafka_partitions": 2})
    bridge.must_be_ready = False
    with bridge:
        await says(bridge, "mqtt", f"broker {mosquitto.url}")
        await says(bridge, "device registry", "database", "not available", "no device is known yet")
        await says(bridge, "alert-store", "database", "not available")
        await start(mosquitto)
        await part_is_well(bridge, "mqtt")
        with MqttDevice(mosquitto.host, mosquitto.port, BOX_ID) as box:
            await asyncio.to_thread(box.press, "call", 1)
            await start(postgres)
            await heard_by(box, "ack")
            await says(bridge, "bridge bus", f"Kafka at {kafka.bootstrap} is not available")
            assert box.commands() == ["ack"], "nobody can have heard the call yet"
            await start(kafka)
            await heard_by(box, "ringing")
            await is_well(bridge, "bridge bus", "mqtt", "alert-store", "device registry")
            for server in (postgres, kafka, mosquitto):
                server.kill()
            await says(bridge, "mqtt", mosquitto.url)
            await says(bridge, "device registry", "going on with the devices known so far")
            await start(mosquitto)
            await part_is_well(bridge, "mqtt")  # a killed broker forgets its sessions; boxes repeat until the ack
            await asyncio.to_thread(box.press, "hangup", 2)
            await eventually(
                lambda: box.commands().count("ack") == 2, HEAR_S, "the hang-up's ack, with no server but one"
            )
            await says(bridge, "bridge bus", kafka.bootstrap)
            await start(kafka, postgres)
            await is_well(bridge, "bridge bus", "mqtt", "device registry")
            async with downstream(kafka) as heard:
                closed = await revision_that(heard, lambda alert: alert["status"] == "closed")
                check_order(heard, BOX_ID, [closed["alert_id"]])
        await check_store(database, tmp_path, closed)
        await is_well(bridge, "alert-store")


async def check_store(database: str, data: Path, last: Alert) -> None:
    """The alert store has caught up: every revision up to the last one."""
    with closing(await asyncio.to_thread(open_alert_store, database, data)) as store:

        def revisions() -> list[int]:
            return [past.revision for past in store.history(last["alert_id"])]

        wanted = list(range(1, last["revision"] + 1))
        await eventually(lambda: revisions() == wanted, BACK_S, "the alert store to catch up")


async def heard_by(box: MqttDevice, word: str) -> None:
    await asyncio.to_thread(box.wait_for, word, BACK_S)


async def revision_that(heard: Downstream, is_it: Callable[[Alert], bool]) -> Alert:
    found = await eventually(lambda: next(filter(is_it, heard.alerts), None), HEAR_S, "that revision on Kafka")
    assert found is not None
    return found


@pytest.mark.timeout(240)
async def test_ctrl_c_ends_everything_in_time_while_every_server_and_a_camera_hang(
    own_kafka: Factory[Kafka],
    own_minio: Factory[MinioServer],
    own_mosquitto: Factory[Mosquitto],
    own_postgres: Factory[Postgres],
    hostile_rtsp: HostileRtsp,
    rtsp_server: RtspServer,
    tmp_path: Path,
) -> None:
    kafka, minio, mosquitto, postgres = own_kafka(), own_minio(), own_mosquitto(), own_postgres()
    database = postgres.create_database()
    cameras = [
        street_camera(CAMERA_ID, rtsp_server.url("street"), cooldown_s=1),
        street_camera("outage-mute", hostile_rtsp.url("never-answers"), cooldown_s=1),
    ]
    register(tmp_path, database, *cameras, CallBox(callbox_id=BOX_ID, name="王奶奶家", site_id="village"))
    servers = {**on_kafka(kafka), **on_minio(minio, "frozen"), **on_mosquitto(mosquitto), "database_url": database}
    up = RoleProcess("up", tmp_path, {**servers, **SHORT_CLIPS, "language": "en"})
    with up:
        await part_is_well(up, "object store")
        for server in (postgres, kafka, minio, mosquitto):
            server.freeze()
        await more_alerts(up, 2)
        check_ctrl_c(up)
        up.must_be_ready = False
        up.start()
        check_ctrl_c(up)
        log = up.log_path.read_text(encoding="utf-8")
    assert "Traceback" not in log


def check_ctrl_c(role: RoleProcess) -> None:
    began_s = time.monotonic()
    assert role.interrupt(timeout_s=4 * CTRL_C_S) == 0, role.log_tail()
    assert time.monotonic() - began_s < CTRL_C_S
