from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingest.mqtt_target import target_from_settings
from ingest.settings import MqttSettings
from runtime.errors import ConfigurationError


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("mqtt://broker.example", "broker.example", 1883, False),
        ("mqtt://127.0.0.1:2000", "127.0.0.1", 2000, False),
        ("mqtts://broker.example", "broker.example", 8883, True),
        ("mqtts://[::1]:8884", "::1", 8884, True),
    ],
)
def test_a_broker_url_gives_host_port_and_tls(url: str, host: str, port: int, tls: bool) -> None:
    target = target_from_settings(MqttSettings(mqtt_url=url))
    assert (target.host, target.port, target.tls) == (host, port, tls)


def test_without_a_url_the_embedded_broker_is_meant() -> None:
    target = target_from_settings(MqttSettings(mqtt_listen_host="127.0.0.1", mqtt_listen_port=1999))
    assert str(target) == "mqtt://127.0.0.1:1999"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"mqtt_url": "mqtt://host:99999"}, "mqtt_url"),
        ({"mqtt_url": "mqtt://:1883"}, "mqtt_url"),
        ({"mqtt_password": SecretStr("x")}, "mqtt_username"),
        ({"mqtt_url": "mqtt://h", "mqtt_ca_file": Path("/ca.pem")}, "mqtt_ca_file"),
    ],
)
def test_settings_that_cannot_be_right_are_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        target_from_settings(MqttSettings(**settings))


def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    target = target_from_settings(MqttSettings(mqtt_url="mqtts://h", mqtt_ca_file=tmp_path / "ca.pem"))
    with pytest.raises(ConfigurationError, match="mqtt_ca_file"):
        target.tls_context()


def test_the_password_is_in_no_text_of_the_target() -> None:
    target = target_from_settings(
        MqttSettings(mqtt_url="mqtt://h", mqtt_username="bridge", mqtt_password=SecretStr("hunter2"))
    )
    assert "hunter2" not in f"{target} {target!r}"
