from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from console.settings import Settings
from runtime.errors import ConfigurationError
from runtime.settings import MAX_SECRET_FILE_BYTES, load_settings


class Model(BaseModel):
    """Settings as the packages write them."""

    model_config = ConfigDict(extra="forbid")

    ring_s: float = Field(12.0, ge=2, le=120, description="Seconds kept")
    kafka_bootstrap: str | None = Field(None, description="Servers", examples=["127.0.0.1:9092"])
    mqtt_url: str | None = Field(None, pattern=r"^mqtts?://[^/@\s]+$", examples=["mqtt://127.0.0.1:1883"])
    mqtt_password: SecretStr | None = Field(None, min_length=4, description="Password")
    key_file: Path | None = Field(None, description="A file that is a setting, not a secret in a file")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sharpeyes.toml"


def test_later_sources_win_and_each_value_says_where_it_came_from(file: Path) -> None:
    file.write_text('ring_s = 20\nkafka_bootstrap = "file:1"\nmqtt_url = "mqtt://file"\n')
    effective = load_settings(
        Model,
        file=file,
        environment={"SHARPEYES_KAFKA_BOOTSTRAP": "environment:1", "SHARPEYES_MQTT_URL": "mqtt://environment"},
        options={"mqtt_url": "mqtt://option", "key_file": None},
    )
    assert effective.values.ring_s == 20
    assert effective.values.kafka_bootstrap == "environment:1"
    assert effective.values.mqtt_url == "mqtt://option"
    assert effective.origins == {
        "ring_s": f"file {file}",
        "kafka_bootstrap": "environment",
        "mqtt_url": "option",
        "mqtt_password": "default",
        "key_file": "default",
    }


def test_nothing_given_means_the_defaults() -> None:
    effective = load_settings(Model, environment={"PATH": "/bin", "SHARPEYES_LANGUAGE": "zh"})
    assert effective.values == Model()
    assert set(effective.origins.values()) == {"default"}


def test_an_empty_variable_counts_as_not_given() -> None:
    assert load_settings(Model, environment={"SHARPEYES_RING_S": ""}).values.ring_s == 12


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("SHARPEYES_RING_SECONDS", "SHARPEYES_RING_SECONDS (environment): there is no such setting. Did you mean"),
        ("SHARPEYES_KAFKA_BOOTSTRP", "Did you mean SHARPEYES_KAFKA_BOOTSTRAP?"),
        ("SHARPEYES_QQQQ", "`sharpeyes settings` lists them all"),
        ("SHARPEYES_RING_S_FILE", "there is no such setting"),
    ],
)
def test_an_unknown_variable_stops_the_start_and_suggests_the_right_one(variable: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, environment={variable: "1"})
    assert said in str(raised.value)


def test_an_unknown_name_in_the_file_is_suggested_as_the_file_writes_it(file: Path) -> None:
    file.write_text("ring = 3\n")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, file=file, environment={})
    assert f"ring (file {file})" in str(raised.value)
    assert "Did you mean ring_s?" in str(raised.value)


def test_a_wrong_value_is_named_with_its_source_its_problem_and_an_example() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, environment={"SHARPEYES_RING_S": "soon", "SHARPEYES_MQTT_URL": "tcp://x"})
    message = str(raised.value)
    assert "ring_s (environment): 'soon'" in message
    assert "valid number" in message
    assert "Example: 12.0" in message
    assert "mqtt_url (environment): 'tcp://x'" in message
    assert "Example: mqtt://127.0.0.1:1883" in message


def test_a_login_in_the_wrong_place_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, environment={"SHARPEYES_MQTT_URL": "mqtt://bridge:s3cret@broker"})
    assert "mqtt_url" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_wrong_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, environment={"SHARPEYES_MQTT_PASSWORD": "s3c"})
    assert "mqtt_password (environment): ***" in str(raised.value)
    assert "s3c" not in str(raised.value).replace("***", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [("ring_s = = 3", "TOML"), ("[ring_s]\nx = 1", "valid number"), ("ring_s = '东'", "'东'")],
)
def test_a_broken_file_is_named(file: Path, content: str, said: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, file=file, environment={})
    assert str(file) in str(raised.value)
    assert said in str(raised.value)


def test_a_file_that_is_not_text_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read as a TOML"):
        load_settings(Model, file=file, environment={})


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(Model, file=file, environment={})


def test_a_secret_is_read_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" p:a@s/s \r\n", encoding="utf-8")
    values = load_settings(Model, environment={"SHARPEYES_MQTT_PASSWORD_FILE": str(tmp_path / "password")}).values
    assert values.mqtt_password is not None
    assert values.mqtt_password.get_secret_value() == " p:a@s/s "


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "empty"),
        (b"\n", "empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * (MAX_SECRET_FILE_BYTES + 1), "larger than"),
    ],
    ids=["missing", "empty", "blank", "binary", "huge"],
)
def test_a_secret_file_that_cannot_be_right_stops_the_start(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        load_settings(Model, environment={"SHARPEYES_MQTT_PASSWORD_FILE": str(path)})
    assert str(raised.value).startswith(f"SHARPEYES_MQTT_PASSWORD_FILE: cannot read the secret file {path}: ")
    assert said in str(raised.value)


def test_a_secret_given_twice_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("one!")
    given = {"SHARPEYES_MQTT_PASSWORD": "two!", "SHARPEYES_MQTT_PASSWORD_FILE": str(tmp_path / "password")}
    for environment in (given, dict(reversed(given.items()))):
        with pytest.raises(ConfigurationError, match="SHARPEYES_MQTT_PASSWORD_FILE"):
            load_settings(Model, environment=environment)


def test_a_setting_that_is_a_file_keeps_its_path() -> None:
    values = load_settings(Model, environment={"SHARPEYES_KEY_FILE": "/run/secrets/key"}).values
    assert values.key_file == Path("/run/secrets/key")


def test_secrets_show_as_stars() -> None:
    rows = load_settings(Model, environment={"SHARPEYES_MQTT_PASSWORD": "s3cret"}).rows()
    assert ("mqtt_password", "***", "environment", "Password") in rows
    assert "s3cret" not in str(rows)


def test_every_setting_of_the_system_says_what_it_is_for() -> None:
    assert [name for name, info in Settings.model_fields.items() if not info.description] == []


def test_the_defaults_of_the_system_are_valid_as_given_by_environment() -> None:
    plain = load_settings(Settings, environment={})
    environment = {f"SHARPEYES_{name.upper()}": value for name, value, _, _ in plain.rows()}
    assert load_settings(Settings, environment=environment).values == plain.values
