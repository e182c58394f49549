"""The main job on real servers, each role a process of its own: from a camera and from a call box to the case system.

GStreamer's RTSP server, Mosquitto, Kafka, MinIO and PostgreSQL; alerts are read with a plain Kafka consumer and checked
by the published schema, as a service downstream would.
"""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from devices.model import CallBox
from tests.downstream import ROOT, downstream
from tests.mqtt_device import MqttDevice
from tests.roles import RoleProcess, on_kafka, on_minio, on_mosquitto, register
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.rtsp import RtspServer
from tests.street import street_camera
from tests.waiting import eventually

BUCKET = "whole-way"
SECOND = 1
"""The first event may be as old as the stream: people stand there when it begins."""

PRE_ROLL_S, POST_ROLL_S, CLIP_MAX_S = 3.0, 2.0, 12.0


@contextmanager
def case_system(kafka: Kafka) -> Iterator[None]:
    example = [sys.executable, str(ROOT / "examples" / "case_system.py"), kafka.bootstrap]
    process = subprocess.Popen(example)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def worker_settings(kafka: Kafka, minio: MinioServer, postgres: Postgres, tmp_path: Path) -> dict[str, object]:
    roll = {"pre_roll_s": PRE_ROLL_S, "post_roll_s": POST_ROLL_S, "clip_max_s": CLIP_MAX_S}
    return {**on_kafka(kafka), **on_minio(minio, BUCKET), "database_url": postgres.create_database(), **roll}


async def test_from_a_camera_to_the_case_system(
    kafka: Kafka, minio: MinioServer, rtsp_server: RtspServer, worker_settings: dict[str, object], tmp_path: Path
) -> None:
    camera = street_camera("whole-way-street", rtsp_server.url("street", login="digest"), cooldown_s=8)
    register(tmp_path, str(worker_settings["database_url"]), camera)
    with RoleProcess("worker", tmp_path, {**worker_settings, "instance": "whole-way-worker"}) as worker:
        async with downstream(kafka) as heard:
            opened = await heard.revision(camera.camera_id, 1, SECOND)
            assert (opened["kind"], opened["change"], opened["clip_state"]) == ("zone_entered", "opened", "pending")
            assert opened["snapshot"]["key"].startswith(f"snapshots/{camera.camera_id}/")
            assert [site["site_id"] for site in opened["sites"]] == ["county", "village"]
            with_clip = await heard.revision(camera.camera_id, 2, SECOND)
            assert (with_clip["change"], with_clip["clip_state"]) == ("updated", "ready")
            check_clip(minio, with_clip, tmp_path)
            check_stored(minio, with_clip["snapshot"], tmp_path / "snapshot.jpg")
            with case_system(kafka):
                accepted = await heard.revision(camera.camera_id, 3, SECOND)
                assert (accepted["status"], accepted["case"]["by"]) == ("acknowledged", "example")
                assert (await heard.revision(camera.camera_id, 4, SECOND))["status"] == "resolved"
            assert rtsp_server.password not in worker.log_path.read_text(encoding="utf-8")


def check_clip(minio: MinioServer, alert: dict[str, Any], folder: Path) -> None:
    """The object is what the alert says: codec, length, a key frame from before the event first."""
    clip, began = alert["clip"], alert["observation"]["started_at"]
    assert clip["started_at"] < began < clip["ended_at"]
    path = folder / "clip.mp4"
    check_stored(minio, clip, path)
    asked = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams", "-show_packets", str(path)]
    found = json.loads(subprocess.run(asked, capture_output=True, check=True, text=True).stdout)
    (video,) = found["streams"]
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 1920, 1080)
    assert found["packets"][0]["flags"].startswith("K")
    length_s = float(found["format"]["duration"])
    assert PRE_ROLL_S + POST_ROLL_S - 1 < length_s < CLIP_MAX_S + 3
    assert video["codec_tag_string"] == "avc1", "what browsers play"


def check_stored(minio: MinioServer, ref: dict[str, Any], path: Path) -> None:
    client = Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)
    client.fget_object(BUCKET, ref["key"], str(path))
    assert path.stat().st_size == ref["size_bytes"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ref["sha256"]


async def test_from_the_green_key_to_the_thumb(
    kafka: Kafka, mosquitto: Mosquitto, postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.create_database()
    register(tmp_path, database, CallBox(callbox_id="whole-way-box", name="王奶奶家", site_id="village"))
    settings = {**on_kafka(kafka), **on_mosquitto(mosquitto), "database_url": database, "instance": "whole-way-bridge"}
    with RoleProcess("bridge", tmp_path, settings), case_system(kafka):
        async with downstream(kafka) as heard:
            with MqttDevice(mosquitto.host, mosquitto.port, "whole-way-box") as box:
                await asyncio.to_thread(box.press, "call", 1)
                for word in ("ack", "ringing", "answered", "rate"):
                    await asyncio.to_thread(box.wait_for, word, 30)
                await asyncio.to_thread(box.press, "up", 2)
                await asyncio.to_thread(box.wait_for, "closed", 30)
            closed = await eventually(
                lambda: next((a for a in heard.revisions("whole-way-box").values() if a["status"] == "closed"), None),
                20,
                "the closed call on Kafka",
            )
    assert closed is not None
    assert (closed["call"]["outcome"], closed["call"]["rating"]) == ("rated", "up")
    assert sorted(heard.revisions("whole-way-box")) == list(range(1, closed["revision"] + 1))
