"""The server fixtures are the real things, speak their own protocols, and come back after an outage."""

import json
import subprocess
import threading

import paho.mqtt.client as mqtt
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from minio import Minio

from tests.servers.cache import find_program
from tests.servers.fixtures import Factory
from tests.servers.footage import footage
from tests.servers.hostile_rtsp import HostileRtsp
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.rtsp import RtspServer
from tests.waiting import wait_until


async def test_kafka_keeps_what_was_produced_in_order(kafka: Kafka) -> None:
    topic = "fixture-check"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, enable_idempotence=True, acks="all"
    ) as producer:  # fmt: skip
        for number in range(3):
            await producer.send_and_wait(topic, str(number).encode())
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        read = [(await consumer.getone()).value for _ in range(3)]
    assert read == [b"0", b"1", b"2"]


async def test_kafka_makes_no_topic_by_itself(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    topics = await admin.describe_topics(["nobody-made-this"])
    await admin.close()
    assert topics[0]["error_code"] == 3  # unknown topic


def test_kafka_comes_back_on_its_port_after_a_kill(own_kafka: Factory[Kafka]) -> None:
    kafka = own_kafka()
    kafka.kill()
    assert not kafka.is_ready()
    kafka.start()
    assert kafka.is_ready()


def test_minio_returns_what_was_put(minio: MinioServer) -> None:
    client = Minio(endpoint=minio.endpoint, access_key=minio.access_key, secret_key=minio.secret_key, secure=False)
    client.make_bucket(bucket_name="fixture-check")
    client.fput_object(bucket_name="fixture-check", object_name="a/clip", file_path=__file__)
    with client.get_object(bucket_name="fixture-check", object_name="a/clip") as answer:
        assert answer.headers["Server"] == "MinIO"
        assert b"returns_what_was_put" in answer.read()


def test_minio_keeps_its_objects_over_a_kill(own_minio: Factory[MinioServer]) -> None:
    minio = own_minio()
    client = Minio(endpoint=minio.endpoint, access_key=minio.access_key, secret_key=minio.secret_key, secure=False)
    client.make_bucket(bucket_name="kept")
    minio.kill()
    assert not minio.is_ready()
    minio.start()
    assert client.bucket_exists(bucket_name="kept")


class MqttListener:
    """A client that keeps what it hears."""

    def __init__(self, broker: Mosquitto, name: str, password: str | None, topic: str, protocol: int) -> None:
        self.heard: list[bytes] = []
        self.refused: list[str] = []
        self._subscribed = threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol)
        if password is not None:
            self.client.username_pw_set(name, password)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_arguments: self._subscribed.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append(message.payload)
        self._topic = topic
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()

    def _on_connect(self, client: mqtt.Client, _data: object, _flags: object, reason: object, _extra: object) -> None:
        if getattr(reason, "is_failure", False):
            self.refused.append(str(reason))
        else:
            client.subscribe(self._topic, qos=1)

    def await_subscription(self) -> None:
        assert self._subscribed.wait(5), f"not subscribed; refused: {self.refused}"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("protocol", [mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5"])
def test_mosquitto_delivers_in_both_versions_of_mqtt(mosquitto: Mosquitto, protocol: int) -> None:
    listener = MqttListener(mosquitto, f"check-{protocol}", None, f"fixture/{protocol}", protocol)
    listener.await_subscription()
    listener.client.publish(f"fixture/{protocol}", b"pressed", qos=1)
    wait_until(lambda: listener.heard == [b"pressed"], what="the published message")
    listener.close()


def test_mosquitto_lets_a_device_speak_for_itself_alone(own_mosquitto: Factory[Mosquitto]) -> None:
    broker = own_mosquitto(users={"bridge": "b:1@/", "box-1": "one", "box-2": "two"})
    bridge = MqttListener(broker, "bridge", "b:1@/", "sharpeyes/v1/#", mqtt.MQTTv311)
    bridge.await_subscription()
    box = MqttListener(broker, "box-1", "one", "sharpeyes/v1/callbox/box-1/cmd", mqtt.MQTTv311)
    box.await_subscription()
    box.client.publish("sharpeyes/v1/callbox/box-2/event", b"forged", qos=1)
    box.client.publish("sharpeyes/v1/callbox/box-1/event", b"mine", qos=1)
    wait_until(lambda: bridge.heard, what="the box's own event")
    assert bridge.heard == [b"mine"]
    box.close()
    bridge.close()


def test_mosquitto_refuses_a_wrong_password_and_takes_a_new_account(own_mosquitto: Factory[Mosquitto]) -> None:
    broker = own_mosquitto(users={"box-1": "one"})
    wrong = MqttListener(broker, "box-1", "two", "sharpeyes/v1/callbox/box-1/cmd", mqtt.MQTTv5)
    wait_until(lambda: wrong.refused, what="the refusal")
    wrong.close()
    broker.add_user("box-9", "nine")
    box = MqttListener(broker, "box-9", "nine", "sharpeyes/v1/callbox/box-9/cmd", mqtt.MQTTv5)
    box.await_subscription()
    box.close()


def test_postgres_is_postgresql_15_or_later_with_databases_of_ones_own(postgres: Postgres) -> None:
    first, second = postgres.create_database(), postgres.create_database()
    assert first != second
    with psycopg.connect(first) as connection:
        row = connection.execute("SELECT version()").fetchone()
        assert row is not None
        assert row[0].startswith("PostgreSQL ")
        assert connection.info.server_version >= 150000


def test_postgres_keeps_what_was_committed_over_a_kill(own_postgres: Factory[Postgres]) -> None:
    postgres = own_postgres()
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    postgres.kill()
    assert not postgres.is_ready()
    postgres.start()
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


def ffprobe(url: str, *options: str) -> dict[str, object]:
    """What ffprobe says of the first seconds of a stream; fails when it cannot open it."""
    shown = ["-show_entries", "stream=codec_name,width,height,avg_frame_rate,profile,has_b_frames"]
    command = [find_program("ffprobe"), "-v", "error", "-probesize", "300000", *options, *shown, "-of", "json", url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0, ended.stderr
    streams: list[dict[str, object]] = json.loads(ended.stdout)["streams"]
    assert len(streams) == 1
    return streams[0]


@pytest.mark.parametrize(
    ("mount", "codec", "size", "rate"),
    [
        ("street", "h264", (1920, 1080), "25/1"),
        ("street-sub", "h264", (704, 576), "15/1"),
        ("street-h265", "hevc", (704, 400), "15/1"),
        ("still", "h264", (1920, 1080), "25/1"),
        ("still-sub", "h264", (704, 576), "15/1"),
        ("large-40", "h264", (1280, 720), "25/1"),
        ("still-40", "h264", (1920, 1080), "25/1"),
    ],
)
def test_camera_sends_what_its_mount_says(
    rtsp_server: RtspServer, mount: str, codec: str, size: tuple[int, int], rate: str
) -> None:
    found = ffprobe(rtsp_server.url(mount), "-rtsp_transport", "tcp")
    assert (found["codec_name"], (found["width"], found["height"]), found["avg_frame_rate"]) == (codec, size, rate)
    assert found["has_b_frames"] == 0


@pytest.mark.parametrize("login", ["digest", "basic"])
def test_camera_asks_for_its_login(rtsp_server: RtspServer, login: str) -> None:
    found = ffprobe(rtsp_server.url("large", login=login), "-rtsp_transport", "udp")
    assert found["width"] == 1280
    with pytest.raises(AssertionError, match="401 Unauthorized"):
        ffprobe(rtsp_server.url("large", login=login, password="wrong"), "-rtsp_transport", "tcp")


def test_main_stream_has_the_bit_rate_of_a_usual_camera() -> None:
    bits_per_second = footage("street").stat().st_size * 8 / 40
    assert bits_per_second == pytest.approx(4e6, rel=0.05)


def test_hostile_camera_counts_those_who_come_back(hostile_rtsp: HostileRtsp) -> None:
    before = hostile_rtsp.connections("reconnects")
    assert ffprobe(hostile_rtsp.url("reconnects"), "-rtsp_transport", "tcp")["codec_name"] == "h264"
    assert hostile_rtsp.connections("reconnects") == before + 1
