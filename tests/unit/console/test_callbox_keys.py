"""The keys of the simulated call box: what they may be called, when they may be typed, and who is warned."""

import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.call import BoxKey
from console import simulate_commands
from console.cli import app

ENVIRONMENT = {"SHARPEYES_MQTT_LISTEN_PORT": "9"}
Simulate = Callable[..., str]


@pytest.mark.parametrize("text", ["call,hangup", "green,red", "g, r", "绿，红", "Green,RED"])
def test_a_key_may_be_called_by_its_name_its_colour_or_its_letter(text: str) -> None:
    assert simulate_commands._read_keys(text) == [BoxKey.CALL, BoxKey.HANGUP]


def test_what_is_typed_before_the_box_is_ready_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(keyboard, b"gu")
        with simulate_commands._single_keys():
            assert simulate_commands._typed() == "gu"
    os.close(keyboard)


@pytest.fixture
def simulate(tmp_path: Path) -> Simulate:
    """Notes of `sharpeyes --data <tmp>/data ...`."""

    def run(*words: str) -> str:
        return CliRunner().invoke(app, ["--data", str(tmp_path / "data"), *words], env=ENVIRONMENT).stderr

    return run


def test_a_box_that_is_not_registered_is_told_so_at_once(simulate: Simulate) -> None:
    simulate("site", "add", "county", "--level", "county")
    simulate("callbox", "add", "box-1", "--site", "county")
    press = ("--press", "call", "--timeout", "0.1")
    assert "no call box box-2 is registered" in simulate("simulate", "callbox", "box-2", *press)
    assert "registered" not in simulate("simulate", "callbox", "box-1", *press)


def test_without_a_registry_on_this_machine_nobody_is_warned(simulate: Simulate, tmp_path: Path) -> None:
    assert "registered" not in simulate("simulate", "callbox", "box-2", "--press", "call", "--timeout", "0.1")
    assert not (tmp_path / "data" / "sharpeyes.db").exists()
