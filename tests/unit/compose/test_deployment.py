"""The compose files give each role settings it knows, and make-secrets.sh makes what they need."""

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from console.settings import Settings
from runtime.settings import load_settings

COMPOSE = Path(__file__).parents[3] / "compose"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    make_secrets(folder)
    return folder


def make_secrets(folder: Path) -> None:
    subprocess.run(["bash", str(COMPOSE / "make-secrets.sh"), str(folder)], check=True, capture_output=True)


def compose_file() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("role", ["worker", "bridge"])
def test_each_role_starts_with_the_settings_compose_gives_it(role: str, secrets: Path) -> None:
    given = compose_file()["services"][role]["environment"]
    environment = {name: value.replace("/run/secrets", str(secrets)) for name, value in given.items()}
    settings = load_settings(Settings, environment=environment).values
    assert settings.database_url is not None
    password = (secrets / "postgres_password").read_text()
    assert settings.database_url.get_secret_value() == f"postgresql://sharpeyes:{password}@postgres:5432/sharpeyes"
    assert settings.s3_endpoint == "minio:9000"
    assert settings.kafka_bootstrap == "kafka:9092"


def test_each_secret_a_service_reads_is_declared_and_made(secrets: Path) -> None:
    compose = compose_file()
    for service in compose["services"].values():
        read = set(re.findall(r"/run/secrets/(\w+)", str(service)))
        assert read <= set(service.get("secrets", [])) <= set(compose["secrets"])
    made = {path.name for path in secrets.iterdir()}
    assert {Path(secret["file"]).name for secret in compose["secrets"].values()} == made


def test_secrets_are_random_and_made_once(secrets: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    make_secrets(secrets)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    make_secrets(tmp_path / "other")
    assert all((tmp_path / "other" / name).read_bytes() != content for name, content in before.items())


def test_only_the_owner_may_enter_the_folder_of_secrets(secrets: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


def test_the_made_key_encrypts_camera_passwords(secrets: Path) -> None:
    box = Fernet((secrets / "sharpeyes_key").read_bytes())
    assert box.decrypt(box.encrypt(b"password")) == b"password"


def test_the_bridge_has_its_account_at_the_broker(secrets: Path) -> None:
    accounts = (secrets / "mqtt_accounts").read_text().splitlines()
    assert accounts == [f"bridge:{(secrets / 'mqtt_bridge_password').read_text()}"]


def test_image_runs_as_a_plain_user_and_checks_its_health() -> None:
    last_stage = (COMPOSE / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.search(r"^USER sharpeyes$", last_stage, re.MULTILINE)
    assert "HEALTHCHECK" in last_stage


def test_image_installs_only_what_its_hash_is_known_of() -> None:
    dockerfile = (COMPOSE / "Dockerfile").read_text(encoding="utf-8")
    for install in re.findall(r"pip install ([^\n]+)", dockerfile):
        assert "--require-hashes" in install or "--no-index" in install
