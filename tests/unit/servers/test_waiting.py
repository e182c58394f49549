import pytest

from tests.waiting import eventually, wait_until


def test_waiting_returns_the_first_true_answer() -> None:
    answers = iter([None, "", "there"])
    assert wait_until(lambda: next(answers)) == "there"


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(AssertionError, match=r"waited 0.01 s in vain for: the alert \(last answer: \[\]\)"):
        wait_until(list, timeout_s=0.01, what="the alert")


async def test_waiting_asks_plain_and_async_questions() -> None:
    async def ask() -> int:
        return 7

    assert await eventually(ask) == 7
    assert await eventually(lambda: 8) == 8
    with pytest.raises(AssertionError, match="the clip"):
        await eventually(lambda: False, timeout_s=0.01, what="the clip")
