"""A command line typed wrong, as the entry point answers it; and what may stand where."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from console import cli, usage_errors
from console.lazy_commands import shared_options_first
from runtime import language
from runtime.os_reason import os_reason

Answer = Callable[..., tuple[int, str]]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Exit code and standard error of `sharpeyes ...`."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sharpeyes", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert isinstance(left.value.code, int)
        return left.value.code, capsys.readouterr().err

    return run


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "LANGUAGE", "zh")


SENSOR = ("sensor", "add", "s", "--site", "v", "--metric", "m", "--unit", "m")


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["camera", "add"], "缺少参数 ID"),
        (["callbox", "add", "b"], "缺少选项 --site"),
        (["nosuch"], "没有命令 nosuch"),
        (["camera", "nosuch"], "没有命令 nosuch"),
        (["camera", "list", "--jsom"], "没有选项 --jsom；是不是 --json？"),
        (["camera", "list", "x"], "多余的参数：x"),
        (["camera", "add", "x", "--url"], "选项 --url 后面缺少值"),
        (["site", "add", "x", "--level", "foo"], "--level 的值不对：'foo' 不在可选的值之中：county"),
        ([*SENSOR, "--dwell-s", "long"], "--dwell-s 的值不对：须为数字"),
        (["alerts", "list", "--limit", "0"], "--limit 的值不对：不得小于 1"),
    ],
)
def test_what_was_typed_wrong_is_said_in_chinese(answer: Answer, words: list[str], said: str) -> None:
    code, shown = answer(*words)
    assert code == 2
    assert said in shown
    assert not any(english in shown for english in ("Missing", "No such", "Invalid", "Value error", "Error"))


def test_in_english_too_a_wrong_value_has_no_words_of_a_library_in_front(answer: Answer) -> None:
    code, shown = answer("site", "add", "x", "--level", "foo")
    assert code == 2
    assert "Error:" in shown
    assert "'foo' is not one of" in shown
    assert "Value error" not in shown


def test_a_group_without_a_command_shows_its_help_and_no_error(answer: Answer) -> None:
    assert answer("camera") == (2, "")


def test_a_message_without_a_translation_stays_as_it_is() -> None:
    assert usage_errors.explain(usage_errors.TyperException("something new")) == "something new"


def test_an_unknown_folder_is_not_made_by_looking_into_it(answer: Answer, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for words in (["camera", "list"], ["site", "show", "v"], ["sensor", "remove", "s"]):
        code, shown = answer("--data", str(nowhere), *words)
        assert code == 2
        assert f"nothing in {nowhere}" in shown.replace("\n", "")
    assert not nowhere.exists()


def test_data_and_config_may_stand_anywhere_before_two_dashes() -> None:
    assert shared_options_first(["up", "--demo", "--data", "X"]) == ["--data", "X", "up", "--demo"]
    assert shared_options_first(["camera", "list", "--config=f"]) == ["--config=f", "camera", "list"]
    assert shared_options_first(["up", "--", "--data", "X"]) == ["up", "--", "--data", "X"]
    assert shared_options_first(["up", "--data"]) == ["up", "--data"]


def test_the_data_folder_may_be_named_behind_the_subcommand(answer: Answer, tmp_path: Path) -> None:
    assert answer("site", "add", "county", "--level", "county", "--data", str(tmp_path / "data"))[0] == 0
    assert (tmp_path / "data" / "sharpeyes.db").exists()


@pytest.mark.usefixtures("chinese")
def test_common_refusals_of_the_system_have_chinese_words() -> None:
    assert os_reason(OSError(errno.EADDRINUSE, "Address already in use")) == "地址或端口已被占用"
    assert os_reason(OSError(errno.ENOSPC, "No space left on device")) == "磁盘空间已满"
    assert os_reason(OSError(99999, "odd")) == "odd"
    assert os_reason(OSError("odd")) == "OSError"
