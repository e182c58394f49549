"""A worker with good and bad cameras: each bad one costs itself alone, and the registry may change while it runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from devices.login import split_login
from devices.model import Camera
from devices.secrets import open_secret_box
from devices.sql_registry import open_registry
from tests.command import sharpeyes
from tests.downstream import downstream
from tests.roles import RoleProcess, on_kafka, register
from tests.servers.hostile_rtsp import HostileRtsp
from tests.servers.kafka import Kafka
from tests.servers.rtsp import RtspServer
from tests.street import street_camera
from tests.waiting import eventually

WRONG_PASSWORD = "wr0ng:p@ss/w%rd"
QUOTED = "wr0ng%3Ap%40ss%2Fw%25rd"
SOON_S = 15
"""On a busy machine; the worker looks at its registry each second, and opening a stream takes two or three."""


class States:
    """The newest state of each device, as the compacted topic gives it, and all text that ever stood there."""

    def __init__(self) -> None:
        self.newest: dict[str, dict[str, Any]] = {}
        self.text = ""

    async def code(self, device_id: str, *codes: str, within_s: float = SOON_S) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            state = self.newest.get(device_id)
            return state if state is not None and state["code"] in codes else None

        answer = await eventually(found, within_s, f"{device_id} to be {codes}, it is {self.newest.get(device_id)}")
        assert answer is not None
        return answer


@asynccontextmanager
async def device_states(kafka: Kafka) -> AsyncIterator[States]:
    states = States()
    consumer = AIOKafkaConsumer(
        "sharpeyes.device-state", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest"
    )

    async def listen() -> None:
        async for message in consumer:
            if message.value is None:
                states.newest.pop(message.key.decode(), None)
            else:
                states.newest[message.key.decode()] = json.loads(message.value)
                states.text += message.value.decode()

    async with consumer:
        task = asyncio.create_task(listen())
        yield states
        task.cancel()


def packets(worker: RoleProcess, camera_id: str) -> float:
    """How many packets of the camera the worker has received."""
    label = f'sharpeyes_packets_received_total{{camera="{camera_id}"'
    return sum(float(line.split()[-1]) for line in worker.metrics().splitlines() if line.startswith(label))


@pytest.mark.timeout(240)
async def test_a_bad_camera_costs_itself_alone_and_says_why_without_its_password(
    kafka: Kafka, rtsp_server: RtspServer, hostile_rtsp: HostileRtsp, tmp_path: Path
) -> None:
    locked = rtsp_server.url("street-1", login="digest", password=WRONG_PASSWORD)
    good, wrong, hostile = (
        street_camera("bad-good", rtsp_server.url("street"), cooldown_s=2),
        street_camera("bad-wrong-password", locked, cooldown_s=2),
        street_camera("bad-hostile", hostile_rtsp.url("garbage-after"), cooldown_s=2),
    )
    register(tmp_path, None, good, wrong, hostile)
    with RoleProcess("worker", tmp_path, {**on_kafka(kafka), "instance": "bad-cameras", "language": "en"}) as worker:
        async with device_states(kafka) as states, downstream(kafka) as heard:
            refused = await states.code("bad-wrong-password", "login_refused")
            assert refused["condition"] == "offline"
            assert "拒绝了用户名或密码" in refused["reason"]["zh"]
            assert "refused the user name or password" in refused["reason"]["en"]
            await states.code("bad-good", "online")
            garbage = await states.code("bad-hostile", "garbage", "unstable", within_s=30)
            assert garbage["reason"]["zh"]
            assert garbage["reason"]["en"]
            alert = await heard.revision("bad-good", 1)
            await change_the_registry(tmp_path, worker, states, rtsp_server, wrong)
        said = [worker.log_path.read_text(encoding="utf-8"), states.text, json.dumps(heard.alerts)]
    assert alert["device_id"] == "bad-good"
    for secret in (WRONG_PASSWORD, QUOTED, rtsp_server.password):
        assert not [text for text in said if secret in text]


async def change_the_registry(
    data: Path, worker: RoleProcess, states: States, rtsp_server: RtspServer, wrong: Camera
) -> None:
    """What a person changes, adds and removes takes effect while the worker runs."""
    shown = await asyncio.to_thread(sharpeyes, data, "camera", "show", wrong.camera_id)
    assert wrong.main_url in shown.stdout
    assert WRONG_PASSWORD not in shown.stdout + shown.stderr
    _, right = split_login(rtsp_server.url("street-1", login="digest"))
    register(
        data,
        None,
        replace(wrong, credentials=right),
        street_camera("bad-added", rtsp_server.url("large"), cooldown_s=60),
    )
    await states.code("bad-wrong-password", "online")
    await states.code("bad-added", "online")
    with closing(open_registry(None, data, open_secret_box(None, data))) as registry:
        registry.remove_camera("bad-added")

    await eventually(lambda: "bad-added" not in states.newest, SOON_S, "the state of a removed camera to go")
    seen = [-1.0]

    async def is_still() -> bool:
        await asyncio.sleep(0.5)  # a camera that is watched sends 12 packets in this time
        seen.append(packets(worker, "bad-added"))
        return seen[-1] == seen[-2]

    await eventually(is_still, SOON_S, "no more packets of a camera that was removed")
    assert packets(worker, "bad-good") > 0


@pytest.mark.timeout(200)
async def test_a_spool_that_cannot_be_written_costs_the_clips_alone_and_is_named(
    kafka: Kafka, rtsp_server: RtspServer, tmp_path: Path
) -> None:
    register(tmp_path, None, street_camera("spool-street", rtsp_server.url("street"), cooldown_s=2))
    (tmp_path / "spool").write_text("not a folder")
    short = {"clip_max_s": 5, "pre_roll_s": 1, "post_roll_s": 1}
    settings = {**on_kafka(kafka), **short, "instance": "spool", "language": "en"}
    with RoleProcess("worker", tmp_path, settings) as worker:
        async with downstream(kafka) as heard:
            without = await heard.revision("spool-street", 2)
            assert (without["clip_state"], without.get("snapshot")) == ("lost", None)
            reason = worker.reason("spool")
            assert f"{tmp_path}/spool cannot be written" in reason
            assert "Check that its disk is there" in reason
            (tmp_path / "spool").unlink()

            def ready() -> bool:
                chains = heard.of_device("spool-street").values()
                return any(chain[max(chain)]["clip_state"] == "ready" for chain in chains)

            await eventually(ready, 60, "an alert with its clip, once the spool can be written")
            await eventually(lambda: not worker.reason("spool"), 60, "the spool to be called well again")
