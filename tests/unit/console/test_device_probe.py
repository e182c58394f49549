"""`callbox probe` and `sensor probe`: an installer sees whether a device was heard."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from alerts.contract import DeviceCondition, DeviceStateV1, Text
from alerts.store import open_alert_store
from console.cli import app
from devices.model import DeviceKind
from runtime.clock import utc
from runtime.errors import NotFoundError


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--data", str(data), *words])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert run(folder, "site", "add", "village", "--level", "village").exit_code == 0
    assert run(folder, "callbox", "add", "box-1", "--site", "village").exit_code == 0
    return folder


def heard(data: Path, condition: DeviceCondition) -> None:
    state = DeviceStateV1(
        device_id="box-1",
        device_kind=DeviceKind.CALLBOX,
        condition=condition,
        code="test",
        reason=Text(zh="电量低", en="battery low"),
        since=utc(1_767_225_600 * 10**9),
    )
    store = open_alert_store(None, data)
    store.save_device_states([state])
    store.close()


@pytest.mark.parametrize(("condition", "code"), [(DeviceCondition.ONLINE, 0), (DeviceCondition.DEGRADED, 1)])
def test_the_latest_state_is_said_with_its_reason(data: Path, condition: DeviceCondition, code: int) -> None:
    heard(data, condition)
    result = run(data, "callbox", "probe", "box-1")
    assert result.exit_code == code
    assert "box-1" in result.output
    assert "battery low" in result.output or "电量低" in result.output


def test_a_box_never_heard_says_what_to_start(data: Path) -> None:
    result = run(data, "callbox", "probe", "box-1")
    assert result.exit_code == 1
    assert "sharpeyes bridge" in result.output


def test_a_box_that_is_not_registered_is_an_error(data: Path) -> None:
    assert isinstance(run(data, "callbox", "probe", "box-2").exception, NotFoundError)
