"""Settings are refused before anything starts, by the name of the one to mend."""

import os
from pathlib import Path

import pytest

from console.leaving import Leaving
from console.settings import Settings
from console.start_check import check_settings
from runtime.errors import ConfigurationError
from runtime.settings import load_settings
from tests.waiting import wait_until


@pytest.mark.parametrize("servers", ["h:9092", "10.0.0.1:9092,10.0.0.2:9092", "a.b:1, c-d_e:65535", "[::1]:9092"])
def test_kafka_servers_are_hosts_with_ports(servers: str) -> None:
    environment = {"SHARPEYES_KAFKA_BOOTSTRAP": servers}
    assert load_settings(Settings, environment=environment).values.kafka_bootstrap == servers


@pytest.mark.parametrize(
    "servers", ["h", "h:", ":9092", "h:0", "h:65536", "h:x", "h:1,", "kafka://h:1", "u@h:1", "h :1"]
)
def test_what_is_no_kafka_server_is_refused_with_an_example(servers: str) -> None:
    with pytest.raises(ConfigurationError, match=r"kafka_bootstrap.*HOST:PORT.*Example: 127\.0\.0\.1:9092"):
        load_settings(Settings, environment={"SHARPEYES_KAFKA_BOOTSTRAP": servers})


def test_defaults_can_work_and_make_the_key_file(tmp_path: Path) -> None:
    check_settings(Settings(data=tmp_path))
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"s3_endpoint": "h:9000"}, "s3_access_key"),
        ({"key_file": "/no/such.key"}, "key_file"),
        ({"database_url": "oracle://h/d"}, "database_url"),
        ({"mqtt_password": "p"}, "mqtt_username"),
    ],
)
def test_settings_that_cannot_work_together_are_refused(settings: dict[str, str], name: str, tmp_path: Path) -> None:
    given = load_settings(Settings, environment={}, options={"data": tmp_path, **settings}).values
    with pytest.raises(ConfigurationError, match=name):
        check_settings(given)


def test_what_hangs_is_left_with_the_exit_code_of_the_first_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    leaving = Leaving(limit_s=0.01)
    leaving.begin(0)
    leaving.begin(2)
    wait_until(lambda: codes)
    assert codes == [0]


def test_what_ends_by_itself_is_not_hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    leaving = Leaving(limit_s=0.01)
    leaving.done()
    leaving.begin(0)
    leaving.done()
    assert leaving._timer is not None
    leaving._timer.join()
    assert codes == []
