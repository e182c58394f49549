"""A scene as people write it: YAML text with the zones, lines and rules of one camera.

zones:
  - name: yard
    polygon: [[0.1, 0.2], [0.6, 0.2], [0.6, 0.9], [0.1, 0.9]]      # 3 to 64 points
lines:
  - {name: gate, start: [0.2, 0.5], end: [0.8, 0.5]}               # side a is on the left hand of start -> end
rules:
  - name: person in yard
    kind: zone_entered             # or loitering, of a zone; line_crossed, of a line
    area: yard                     # the zone or line of that name
    classes: [person]
    min_height: 0.05               # smallest box that counts, fraction of the picture's height; default 0
    cooldown_s: 30                 # seconds of silence after it fired; default 30
    severity: warning              # info | warning (default) | critical
    schedule:                      # left out: always armed
      timezone: Asia/Shanghai
      windows:
        - {from: "22:00", to: "06:00", weekdays: [mon, tue, wed, thu, fri, sat, sun]}   # weekdays default to all
  - {name: hangs about, kind: loitering, area: yard, classes: [person], dwell_s: 30}           # seconds inside
  - {name: car in, kind: line_crossed, area: gate, classes: [car, truck], direction: a_to_b}   # b_to_a | both
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from devices.document import scene_from
from devices.scene import Scene
from devices.validation import FieldError
from runtime.errors import InvalidInputError
from runtime.language import say
from runtime.os_reason import os_reason

MAX_SCENE_CHARS = 128 * 1024
"""64 zones of 64 points with 64 rules fit twice; the YAML reader takes at most some seconds for as much."""

MAX_DEPTH = 12
"""A scene nests six deep; the reader recurses, so deeper text is refused before the stack is."""


def load_scene_file(path: Path) -> Scene:
    """The scene in a UTF-8 file; InvalidInputError begins with the file's name."""
    try:
        with path.open("rb") as file:
            content = file.read(4 * MAX_SCENE_CHARS + 1)
        return load_scene(content.decode("utf-8-sig"))
    except OSError as error:
        reason = os_reason(error)
        raise InvalidInputError(say(zh=f"{path}：无法读取：{reason}", en=f"{path}: cannot be read: {reason}")) from None
    except UnicodeDecodeError:
        raise InvalidInputError(say(zh=f"{path}：不是 UTF-8 文本", en=f"{path}: is not UTF-8 text")) from None
    except FieldError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def load_scene(text: str) -> Scene:
    """Read the form above; raises FieldError with the path, or with the line and column where it is not YAML.

    Plain YAML 1.2 values only: no aliases, tags or merge keys, no key twice, and 22:00 or `on` stay texts.
    """
    if len(text) > MAX_SCENE_CHARS:
        raise FieldError("", say(zh=f"超过 {MAX_SCENE_CHARS} 个字符", en=f"is over {MAX_SCENE_CHARS} characters long"))
    try:
        document = yaml.load(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        raise FieldError(_place(error), error.problem or error.context or "YAML") from None
    except yaml.YAMLError:
        raise FieldError("", say(zh="含有 YAML 不允许的字符", en="holds characters that YAML does not allow")) from None
    return scene_from(document)


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return "YAML"
    line, column = mark.line + 1, mark.column + 1
    return say(zh=f"第 {line} 行第 {column} 列", en=f"line {line}, column {column}")


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader without aliases, tags and YAML 1.1's surprises; bounded in depth."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML wants it on the class
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]  # types-PyYAML leaves it out
        if isinstance(event, yaml.AliasEvent):
            self._refuse(say(zh="不支持别名（*）", en="aliases (*) are not supported"), event.start_mark)
        if getattr(event, "tag", None) is not None:
            self._refuse(say(zh="不支持标签（!）", en="tags (!) are not supported"), event.start_mark)
        if self.depth >= MAX_DEPTH:
            self._refuse(say(zh=f"嵌套超过 {MAX_DEPTH} 层", en=f"nested deeper than {MAX_DEPTH}"), event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                self._refuse(say(zh=f"项 {key.value!r} 重复", en=f"key {key.value!r} stands twice"), key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    @staticmethod
    def _refuse(reason: str, mark: Any) -> None:
        raise yaml.MarkedYAMLError(problem=reason, problem_mark=mark)


_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", "[-+]?(?:0|[1-9][0-9]{0,17})", list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), _first)
