from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import app
from runtime.errors import SharpEyesError


def refusal(data: Path, *arguments: str) -> str:
    """What the command ends with."""
    environment = {"SHARPEYES_DATA": str(data), "SHARPEYES_MQTT_LISTEN_PORT": "9"}
    result = CliRunner().invoke(app, ["simulate", "callbox", *arguments], env=environment)
    assert isinstance(result.exception, SharpEyesError), result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["box-1", "--press", "purple"], "purple"),
        (["box 1", "--press", "call"], "box 1"),
        (["box-1"], "--press call --wait ringing"),
    ],
)
def test_a_wrong_command_line_is_refused_in_words(tmp_path: Path, arguments: list[str], word: str) -> None:
    assert word in refusal(tmp_path, *arguments)


def test_without_a_broker_the_command_ends_in_time_and_says_what_to_start(tmp_path: Path) -> None:
    assert "sharpeyes up" in refusal(tmp_path, "box-1", "--press", "call", "--timeout", "0.2")
