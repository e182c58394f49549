"""Roles that cannot work end at once: exit code 2, one line that names the setting and what to do, no traceback."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.command import Ended, refused, sharpeyes

PASSWORD = "s3cret-in-url"


def start(role: str, data: Path, settings: Mapping[str, object], *, as_plain_user: bool = False) -> Ended:
    return sharpeyes(data, role, settings=settings, as_plain_user=as_plain_user)


WRONG = {
    "a setting that does not exist": ("worker", {"kafka_bootstrp": "x:1"}, "Did you mean SHARPEYES_KAFKA_BOOTSTRAP?"),
    "a number that is none": ("worker", {"http_port": "http"}, "http_port (environment): 'http'", "Example: 8600"),
    "a number out of range": ("worker", {"ring_s": "1e9"}, "ring_s (environment)", "120", "Example: 12.0"),
    "Kafka without a port": ("worker", {"kafka_bootstrap": "nonsense"}, "kafka_bootstrap", "Example: 127.0.0.1:9092"),
    "Kafka with a port that is none": ("worker", {"kafka_bootstrap": "a:9092,b:99999"}, "kafka_bootstrap", "'b:99999'"),
    "an object store without keys": ("worker", {"s3_endpoint": "127.0.0.1:9000"}, "SHARPEYES_S3_ACCESS_KEY"),
    "a database of another make": ("worker", {"database_url": f"mysql://u:{PASSWORD}@h/d"}, "database_url", "'mysql'"),
    "a key file that is not there": ("bridge", {"key_file": "/no/such.key", "mqtt_url": "mqtt://h"}, "key_file: /no/"),
    "a model list that is not there": ("worker", {"model_catalogue": "/no/such.toml"}, "/no/such.toml"),
    "a bridge without a broker": ("bridge", {}, "mqtt_url", "SHARPEYES_MQTT_URL=mqtt://127.0.0.1:1883"),
    "a broker's port that is none": ("bridge", {"mqtt_url": "mqtt://h:99999"}, "mqtt_url", "mqtt://127.0.0.1:1883"),
    "a secret's file that is not there": ("bridge", {"mqtt_password_file": "/no/such"}, "SHARPEYES_MQTT_PASSWORD_FILE"),
    "an address that is not ours": ("worker", {"http_host": "no.such.host.invalid"}, "http_host", "127.0.0.1"),
}


@pytest.mark.parametrize(
    ("role", "settings", "words"), [(case[0], case[1], case[2:]) for case in WRONG.values()], ids=WRONG.keys()
)
def test_a_setting_that_cannot_work_stops_the_start_by_its_name(
    role: str, settings: Mapping[str, object], words: tuple[str, ...], tmp_path: Path
) -> None:
    assert PASSWORD not in refused(start(role, tmp_path / "data", settings), *words)


def test_a_settings_file_with_a_mistake_is_named_with_the_mistake(tmp_path: Path) -> None:
    (tmp_path / "sharpeyes.toml").write_text("pre_roll = 3\n")
    refused(start("worker", tmp_path, {}), f"pre_roll (file {tmp_path}/sharpeyes.toml)", "Did you mean pre_roll_s?")
    (tmp_path / "sharpeyes.toml").write_text("pre_roll_s is 3\n")
    refused(start("worker", tmp_path, {}), f"{tmp_path}/sharpeyes.toml", "TOML", "line 1")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_taken_port_is_named_in_the_operators_language_with_the_setting_that_chooses_another(
    taken_port: int, tmp_path: Path
) -> None:
    place, chinese = f"127.0.0.1:{taken_port}", {"http_port": taken_port, "language": "zh"}
    refused(start("worker", tmp_path, chinese), "错误", "http_port", "无法在", f"SHARPEYES_HTTP_PORT={taken_port + 1}")
    broker = {"mqtt_listen_port": taken_port}
    refused(start("up", tmp_path, broker), place, f"SHARPEYES_MQTT_LISTEN_PORT={taken_port + 1}", "SHARPEYES_MQTT_URL")


def test_a_data_folder_that_cannot_be_one_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused(start("worker", tmp_path / "file", {}), f"data: the folder {tmp_path}/file cannot be written", "--data")


@pytest.mark.parametrize("mode", [0o555, 0o000], ids=["not writable", "not even readable"])
def test_a_data_folder_of_another_user_is_named_with_the_option(mode: int, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    try:
        ended = start("worker", data, {}, as_plain_user=True)
    finally:
        data.chmod(0o755)
    refused(ended, f"data: the folder {data} cannot be written: Permission denied", "--data")


@pytest.mark.parametrize("left", ["worker.lock", "worker.ledger.db"])
def test_a_file_that_another_user_left_is_named(left: str, tmp_path: Path) -> None:
    (tmp_path / left).touch(0o400)
    ended = start("worker", tmp_path, {}, as_plain_user=True)
    refused(ended, f"{tmp_path}/{left} cannot be written")


def test_a_ledger_that_is_none_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "worker.ledger.db").write_text("somebody's notes, longer than the header of a database file" * 3)
    refused(start("worker", tmp_path, {}), f"{tmp_path}/worker.ledger.db is not a ledger", "move it away")
    assert (tmp_path / "worker.ledger.db").read_text().startswith("somebody's notes")
