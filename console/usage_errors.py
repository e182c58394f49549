"""What a person typed wrong, in the language of this process: which option or argument, why, and where the help is.

Comes in as typer's exceptions, goes out as text for standard error. Pure; what has no Chinese here stays English.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from typer.exceptions import TyperException

from runtime.language import say

Words = Callable[[re.Match[str]], str]

_CHINESE: Sequence[tuple[re.Pattern[str], Words]] = [
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"Missing command\.", lambda _: "缺少子命令"),
        (r"Missing option (.+?)\.(?: Choose from:?\s*(.*))?", lambda m: f"缺少选项 {_plain(m[1])}{_choose(m[2])}"),
        (r"Missing argument (.+?)\.(?: Choose from:?\s*(.*))?", lambda m: f"缺少参数 {_plain(m[1])}{_choose(m[2])}"),
        (r"No such option: (\S+)(?: \(Possible options: (.+)\))?", lambda m: f"没有选项 {m[1]}{_near(m[2])}"),
        (r"No such option: (\S+) Did you mean (.+)\?", lambda m: f"没有选项 {m[1]}{_near(m[2])}"),
        (r"No such command '(.*?)'\.?(?: Did you mean (.+)\?)?", lambda m: f"没有命令 {m[1]}{_near(m[2])}"),
        (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", lambda m: f"多余的参数：{m[1]}"),
        (r"Option '?(\S+?)'? requires an? (?:argument|value)\.", lambda m: f"选项 {m[1]} 后面缺少值"),
        (r"Option '?(\S+?)'? requires (\d+) arguments\.", lambda m: f"选项 {m[1]} 需要 {m[2]} 个值"),
        (r"Option '?(\S+?)'? does not take a value\.", lambda m: f"选项 {m[1]} 不带值"),
        (r"Invalid value for (.+?): (.*)", lambda m: f"{_plain(m[1])} 的值不对：{_value(m[2])}"),
        (r"Invalid value: (.*)", lambda m: f"值不对：{_value(m[1])}"),
    )
]

_CHINESE_VALUES: Sequence[tuple[re.Pattern[str], Words]] = [
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        (r"'(.*)' is not one of (.*)\.", lambda m: f"{m[1]!r} 不在可选的值之中：{_plain(m[2])}"),
        (r"Input should be a valid integer.*", lambda _: "须为整数"),
        (r"Input should be a valid number.*", lambda _: "须为数字"),
        (r"Input should be a valid boolean.*", lambda _: "须为 true 或 false"),
        (r"Input should be greater than or equal to (\S+)", lambda m: f"不得小于 {m[1]}"),
        (r"Input should be less than or equal to (\S+)", lambda m: f"不得大于 {m[1]}"),
        (r"Input should be greater than (\S+)", lambda m: f"须大于 {m[1]}"),
        (r"Input should be less than (\S+)", lambda m: f"须小于 {m[1]}"),
        (r"(?:File|Path) '(.*)' does not exist\.", lambda m: f"文件 {m[1]} 不存在"),
    )
]


def explain(error: TyperException) -> str:
    """One or two lines: what is wrong, and the command that shows the help; nothing where the help was shown."""
    message = error.format_message().strip().replace("Value error, ", "")
    translated = say(zh=_translated(message, _CHINESE), en=message)
    context: Any = getattr(error, "ctx", None)
    if context is None or not message:
        return translated
    command = context.command_path
    return say(
        zh=f"{translated}\n用 {command} --help 查看用法和示例",
        en=f"{translated}\n`{command} --help` shows the options and an example",
    )


def _translated(message: str, table: Sequence[tuple[re.Pattern[str], Words]]) -> str:
    for pattern, words in table:
        found = pattern.fullmatch(message)
        if found:
            return words(found)
    return message


def _value(message: str) -> str:
    return _translated(message.strip(), _CHINESE_VALUES)


def _plain(hint: str) -> str:
    return hint.replace("'", "")


def _choose(words: str | None) -> str:
    return f"；可选：{'、'.join(word.strip() for word in words.split(','))}" if words else ""


def _near(words: str | None) -> str:
    return f"；是不是 {_plain(words)}？" if words else ""
