"""`sharpeyes settings` shows what is in force and hides secrets."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app

run = CliRunner().invoke


def test_settings_name_their_origin_and_hide_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sharpeyes.toml").write_text("pre_roll_s = 7.5\n", encoding="utf-8")
    monkeypatch.setenv("SHARPEYES_MQTT_PASSWORD", "gr33n:key@")
    result = run(app, ["--data", str(tmp_path), "settings", "--json"])
    assert result.exit_code == 0, result.output
    shown = json.loads(result.output)
    assert shown["pre_roll_s"] == {"value": "7.5", "origin": f"file {tmp_path / 'sharpeyes.toml'}"}
    assert shown["mqtt_password"] == {"value": "***", "origin": "environment"}
    assert shown["data"]["origin"] == "option"
    assert "gr33n" not in result.output
