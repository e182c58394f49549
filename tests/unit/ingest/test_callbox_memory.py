from pathlib import Path

import pytest

from alerts.call import BoxKey
from ingest import callbox_memory
from ingest.callbox_memory import CallBoxMemory
from runtime.errors import ConfigurationError


def test_numbers_go_on_and_unacknowledged_presses_stay_over_a_restart(tmp_path: Path) -> None:
    memory = CallBoxMemory(tmp_path / "demo" / "box.json")
    first, second = memory.press(BoxKey.CALL, 1), memory.press(BoxKey.HANGUP, 2)
    memory.acknowledged(first.boot, first.seq)
    after = CallBoxMemory(tmp_path / "demo" / "box.json")
    assert after.waiting == (second,)
    third = after.press(BoxKey.UP, 3)
    assert (third.boot, third.seq) == (first.boot, second.seq + 1)


def test_two_boxes_have_boot_ids_of_their_own(tmp_path: Path) -> None:
    boots = {CallBoxMemory(tmp_path / name).press(BoxKey.CALL, 1).boot for name in ("a", "b")}
    assert len(boots) == 2


def test_an_ack_of_another_boot_or_number_forgets_nothing(tmp_path: Path) -> None:
    memory = CallBoxMemory(tmp_path / "box.json")
    press = memory.press(BoxKey.CALL, 1)
    memory.acknowledged("other", press.seq)
    memory.acknowledged(press.boot, press.seq + 1)
    assert memory.waiting == (press,)


def test_the_oldest_presses_give_way_when_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbox_memory, "MAX_WAITING", 3)  # each press is brought to the disk
    memory = CallBoxMemory(tmp_path / "box.json")
    for at_ms in range(5):
        memory.press(BoxKey.CALL, at_ms)
    assert [press.t_ms for press in memory.waiting] == [2, 3, 4]


@pytest.mark.parametrize("content", ["", "[]", '{"boot": 1}', "\x00"])
def test_a_broken_memory_is_named_and_not_overwritten(tmp_path: Path, content: str) -> None:
    (tmp_path / "box.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"box\.json"):
        CallBoxMemory(tmp_path / "box.json")
    assert (tmp_path / "box.json").read_text() == content


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="box"):
        CallBoxMemory(tmp_path / "file" / "box.json").press(BoxKey.CALL, 1)
