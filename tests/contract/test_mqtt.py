"""What the bridge's link promises on every broker: Mosquitto with 3.1.1 and 5, and the embedded broker with 3.1.1."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devices.model import Secret
from ingest.device_messages import BRIDGE_FILTERS, MAX_PAYLOAD_BYTES
from ingest.embedded_broker import bind_broker, serve_broker
from ingest.mqtt_link import MqttLink
from ingest.mqtt_session import Delivery, Outgoing
from ingest.mqtt_target import MqttTarget, MqttVersion
from runtime.errors import ConfigurationError
from runtime.health import Health
from tests.mqtt_device import MqttDevice
from tests.servers.fixtures import Factory
from tests.servers.mosquitto import Mosquitto
from tests.waiting import eventually

BROKERS: list[tuple[str, MqttVersion]] = [("mosquitto", "3.1.1"), ("mosquitto", "5"), ("embedded", "3.1.1")]


@dataclass(frozen=True)
class Broker:
    host: str
    port: int
    version: MqttVersion
    is_embedded: bool

    def target(self) -> MqttTarget:
        return MqttTarget(host=self.host, port=self.port, version=self.version)

    def device(self, device_id: str, kind: str = "callbox") -> MqttDevice:
        return MqttDevice(self.host, self.port, device_id, kind=kind, version=self.version)


@asynccontextmanager
async def embedded_broker() -> AsyncIterator[int]:
    listener = bind_broker("127.0.0.1", 0)
    task = asyncio.create_task(serve_broker(listener))
    yield listener.getsockname()[1]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture(params=BROKERS, ids=lambda param: "-".join(param))
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    name, version = request.param
    if name == "embedded":
        async with embedded_broker() as port:
            yield Broker("127.0.0.1", port, version, True)
    else:
        server: Mosquitto = request.getfixturevalue("mosquitto")
        yield Broker(server.host, server.port, version, False)


@asynccontextmanager
async def running_link(
    target: MqttTarget, client_id: str | None = None, filters: Sequence[str] = BRIDGE_FILTERS
) -> AsyncIterator[tuple[MqttLink, Health]]:
    health = Health()
    link = MqttLink(target, client_id or f"bridge-{secrets.token_hex(4)}", filters, health)
    task = asyncio.create_task(link.run())
    try:
        yield link, health
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def connected_link(target: MqttTarget, client_id: str | None = None) -> AsyncIterator[MqttLink]:
    async with running_link(target, client_id) as (link, health):
        await eventually(health.is_ready, what="the link to connect")
        yield link


@pytest.fixture
def box_id() -> Iterator[str]:
    return f"box-{secrets.token_hex(4)}"


@asynccontextmanager
async def on(device: MqttDevice) -> AsyncIterator[MqttDevice]:
    """The device, its blocking calls in threads: the embedded broker runs on this very loop."""
    await asyncio.to_thread(device.__enter__)
    try:
        yield device
    finally:
        await asyncio.to_thread(device.__exit__, None, None, None)


async def receive_from(link: MqttLink, device_id: str, count: int) -> list[Delivery]:
    """`count` deliveries of one device; everything received is settled."""
    found: list[Delivery] = []
    async with asyncio.timeout(15):
        while len(found) < count:
            batch = await link.receive()
            link.settle(batch)
            found += [delivery for delivery in batch if f"/{device_id}/" in delivery.topic]
    return found


async def test_what_devices_publish_arrives_in_their_order(broker: Broker, box_id: str) -> None:
    async with connected_link(broker.target()) as link, on(broker.device(box_id)) as box:
        for seq in range(50):
            await asyncio.to_thread(box.press, "call", seq)
        found = await receive_from(link, box_id, 50)
    assert [delivery.topic for delivery in found] == [f"{box.topic}/event"] * 50
    assert [delivery.payload for delivery in found] == [
        b'{"boot": "boot-1", "seq": %d, "key": "call", "t_ms": 1}' % seq for seq in range(50)
    ]


async def test_commands_reach_the_box_in_order(broker: Broker, box_id: str) -> None:
    async with connected_link(broker.target()) as link, on(broker.device(box_id)) as box:
        link.send([Outgoing(f"{box.topic}/cmd", b'{"cmd": "%d"}' % number) for number in range(200)])
        await eventually(lambda: len(box.heard) == 200, what="200 commands at the box")
    assert box.commands() == [str(number) for number in range(200)]


async def test_a_retained_state_reaches_a_link_that_connects_later(broker: Broker, box_id: str) -> None:
    async with on(broker.device(box_id)) as box:
        await asyncio.to_thread(box.publish, "state", {"state": "ready"}, retain=True)
        async with connected_link(broker.target()) as link:
            (state,) = await receive_from(link, box_id, 1)
    assert state.payload == b'{"state": "ready"}'
    assert state.retained


async def test_a_box_that_loses_power_is_heard_as_lost(broker: Broker, box_id: str) -> None:
    async with connected_link(broker.target()) as link:
        box = broker.device(box_id)
        await asyncio.to_thread(box.__enter__)
        await asyncio.to_thread(box.vanish)
        (state,) = await receive_from(link, box_id, 1)
    assert state.payload == b'{"state": "lost"}'


async def test_ten_megabytes_cost_only_the_one_who_sent_them(broker: Broker, box_id: str) -> None:
    async with (
        connected_link(broker.target()) as link,
        on(broker.device(f"{box_id}-well")) as well,
        on(broker.device(box_id)) as hostile,
    ):
        hostile.client.publish(f"{hostile.topic}/event", b"x" * 10_000_000, qos=1)
        if not broker.is_embedded and broker.version == "3.1.1":  # the others do not let it through
            (refused,) = await receive_from(link, box_id, 1)
            assert MAX_PAYLOAD_BYTES < len(refused.payload) < 100_000
        for seq in range(20):
            await asyncio.to_thread(well.press, "call", seq)
        assert len(await receive_from(link, f"{box_id}-well", 20)) == 20


async def test_a_full_second_of_messages_goes_through_unharmed(broker: Broker, box_id: str) -> None:
    count = 300 if broker.is_embedded else 900
    async with connected_link(broker.target()) as link, on(broker.device(box_id)) as box:
        for seq in range(count):
            box.client.publish(f"{box.topic}/event", str(seq), qos=1)
        found = await receive_from(link, box_id, count)
    assert [int(delivery.payload) for delivery in found] == list(range(count))


async def test_what_nobody_settles_stays_with_the_broker_and_comes_when_there_is_room(
    box_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.mqtt_session.MAX_UNSETTLED", 10)
    count = 200
    async with embedded_broker() as port:
        target = MqttTarget(host="127.0.0.1", port=port)
        async with connected_link(target) as link, on(MqttDevice("127.0.0.1", port, box_id)) as box:
            sent = [box.client.publish(f"{box.topic}/event", b"x" * 4000, qos=1) for _ in range(count)]
            await eventually(lambda: all(info.is_published() for info in sent), what="the broker to have them all")
            first = await link.receive()
            assert len(first) < 10 + 64 * 1024 // 4000 + 1  # the bound, and one receive beyond it
            link.settle(first)
            await receive_from(link, box_id, count - len(first))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_delivery_that_was_not_settled_comes_again(
    mosquitto: Mosquitto, box_id: str, version: MqttVersion
) -> None:
    target = MqttTarget(host=mosquitto.host, port=mosquitto.port, version=version)
    client_id = f"bridge-{secrets.token_hex(4)}"
    async with connected_link(target, client_id) as link, on(MqttDevice(target.host, target.port, box_id)) as box:
        await asyncio.to_thread(box.press, "call", 1)
        async with asyncio.timeout(10):
            while not any(box_id in delivery.topic for delivery in await link.receive()):
                pass
    async with connected_link(target, client_id) as link:
        (again,) = await receive_from(link, box_id, 1)
    assert again.payload == b'{"boot": "boot-1", "seq": 1, "key": "call", "t_ms": 1}'


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_broker_away_at_start_and_killed_later_is_found_again(
    own_mosquitto: Factory[Mosquitto], box_id: str, version: MqttVersion
) -> None:
    server = own_mosquitto(start=False)
    target = MqttTarget(host=server.host, port=server.port, version=version)
    async with running_link(target) as (link, health):
        await eventually(lambda: "refused" in health.parts()["mqtt"].reason, what="the reason in the health part")
        assert not health.is_ready()
        for _ in range(2):
            await asyncio.to_thread(server.start)
            await eventually(health.is_ready, 20, what="the link to connect")
            async with on(MqttDevice(server.host, server.port, box_id)) as box:
                await asyncio.to_thread(box.press, "call", 1)
                await receive_from(link, box_id, 1)
                link.send([Outgoing(f"{box.topic}/cmd", b'{"cmd": "ringing"}')])
                await asyncio.to_thread(box.wait_for, "ringing")
            await asyncio.to_thread(server.kill)
            await eventually(lambda: not health.is_ready(), what="the link to notice that the broker is gone")


async def test_commands_given_while_the_broker_is_away_go_out_when_it_is_back(
    own_mosquitto: Factory[Mosquitto], box_id: str
) -> None:
    server = own_mosquitto()
    target = MqttTarget(host=server.host, port=server.port)
    commands = [Outgoing(f"sharpeyes/v1/callbox/{box_id}/cmd", b"%d" % number) for number in range(500)]
    async with running_link(target, box_id, [commands[0].topic]) as (_, health):
        await eventually(health.is_ready)  # the broker keeps this subscription from now on
    await asyncio.to_thread(server.stop)
    async with running_link(target) as (link, _):
        link.send(commands)
        await asyncio.to_thread(server.start)
        async with running_link(target, box_id, [commands[0].topic]) as (box, _):
            found = await receive_from(box, box_id, len(commands))
    assert [delivery.payload for delivery in found] == [command.payload for command in commands]


async def test_a_refused_login_is_said_and_tried_again(own_mosquitto: Factory[Mosquitto]) -> None:
    server = own_mosquitto(users={"other": "secret"})
    target = MqttTarget(host=server.host, port=server.port, username="bridge", password=Secret("right"))
    async with running_link(target) as (_, health):
        await eventually(lambda: "refuses" in health.parts()["mqtt"].reason, what="the refusal in the health part")
        server.add_user("bridge", "right")
        await eventually(health.is_ready, 20, what="the link to be let in")


async def test_a_taken_port_is_a_configuration_error_that_names_it() -> None:
    first = bind_broker("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(ConfigurationError, match=rf"mqtt_listen_port.*127\.0\.0\.1:{port}"):
        bind_broker("127.0.0.1", port)
    first.close()


async def test_the_embedded_broker_stops_within_two_seconds_with_clients_on_it(box_id: str) -> None:
    async with embedded_broker() as port:
        box = MqttDevice("127.0.0.1", port, box_id)
        await asyncio.to_thread(box.__enter__)
        async with running_link(MqttTarget(host="127.0.0.1", port=port)) as (_, health):
            await eventually(health.is_ready)
        started_s = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - started_s < 2
    box.client.loop_stop()


class TlsMosquitto(Mosquitto):
    """A broker with a certificate of an authority that only the test knows."""

    def prepare(self) -> None:
        super().prepare()
        authority, certificate, key = make_certificate(self.folder, self.host)
        config = self.folder / "mosquitto.conf"
        lines = config.read_text().splitlines()
        lines[1:1] = [f"cafile {authority}", f"certfile {certificate}", f"keyfile {key}"]
        config.write_text("\n".join(lines) + "\n")

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=2):
            return True
        return False


def make_certificate(folder: Path, host: str) -> tuple[Path, Path, Path]:
    """A self-signed certificate for `host`: the files of the authority, of the broker and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "broker.pem", folder / "broker.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, public, private


async def test_over_tls_a_broker_of_the_named_authority_is_trusted_and_no_other(box_id: str) -> None:
    with TlsMosquitto() as server:
        target = MqttTarget(host=server.host, port=server.port, tls=True, ca_file=server.folder / "broker.pem")
        async with connected_link(target, box_id) as link:
            link.send([Outgoing(f"sharpeyes/v1/callbox/{box_id}/event", b"x" * 50) for _ in range(700)])
            assert len(await receive_from(link, box_id, 700)) == 700
        async with running_link(MqttTarget(host=server.host, port=server.port, tls=True)) as (_, health):
            await eventually(lambda: "certificate" in health.parts()["mqtt"].reason.lower(), what="the refusal")
