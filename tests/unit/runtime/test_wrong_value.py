"""What is said of a wrong setting, in Chinese and in English."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, field_validator

from runtime import language, wrong_value
from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.settings import load_settings


class Sample(BaseModel):
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    rate: float = 2.5
    mode: Literal["slow", "fast"] = "slow"
    secure: bool = False
    place: str = Field("a", pattern="^[a-z]$")
    note: str = "x"

    @field_validator("note")
    @classmethod
    def _is_kind(cls, value: str) -> str:
        if value == "bad":
            raise ValueError(say(zh="不客气", en="unkind"))
        return value


def refusal(spoken: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> str:
    monkeypatch.setattr(language, "LANGUAGE", spoken)
    monkeypatch.setattr(wrong_value, "LANGUAGE", spoken)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(Sample, environment={f"SHARPEYES_{variable}": value})
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("PORT", "x", "port（环境变量）：'x'：须为整数。例如 80"),
        ("PORT", "0", "port（环境变量）：'0'：不得小于 1。例如 80"),
        ("PORT", "65536", "port（环境变量）：'65536'：不得大于 65535。例如 80"),
        ("RATE", "x", "rate（环境变量）：'x'：须为数字。例如 2.5"),
        ("MODE", "x", "mode（环境变量）：'x'：须为以下之一：'slow' 或 'fast'。例如 slow"),
        ("SECURE", "x", "secure（环境变量）：'x'：须为 true 或 false。例如 False"),
        ("PLACE", "7", "place（环境变量）：'7'：格式不正确。例如 a"),
        ("NOTE", "bad", "note（环境变量）：'bad'：不客气。例如 x"),
        ("PROT", "1", "SHARPEYES_PROT（环境变量）：没有这项设置。是否应为 SHARPEYES_PORT？"),
        ("HEIGHT", "1", "SHARPEYES_HEIGHT（环境变量）：没有这项设置。`sharpeyes settings` 可列出全部设置"),
    ],
)
def test_a_chinese_reader_reads_chinese(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str) -> None:
    assert refusal("zh", monkeypatch, variable, value) == words


def test_an_english_reader_reads_english(monkeypatch: pytest.MonkeyPatch) -> None:
    words = refusal("en", monkeypatch, "PORT", "0")
    assert words == "port (environment): '0': Input should be greater than or equal to 1. Example: 80"


def test_every_chinese_word_can_be_filled_in() -> None:
    limits = dict.fromkeys(("ge", "gt", "le", "lt", "expected", "min_length", "max_length"), "1")
    assert all(words.format_map(limits) for words in wrong_value._ZH.values())
