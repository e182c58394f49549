"""Scenes as people write them in YAML."""

from pathlib import Path

import pytest

import devices.scene_file
from devices.model import Direction, RuleKind, Severity, TimeWindow
from devices.scene_file import MAX_SCENE_CHARS, load_scene, load_scene_file
from devices.validation import FieldError
from runtime.errors import InvalidInputError

SCENE = """
# 村口
zones: [{name: yard, polygon: [[0.1, 0.2], [0.6, 0.2], [0.6, 0.9]]}]
lines:
  - {name: gate, start: [0, 5e-1], end: [1, .5]}
rules:
  - name: 夜间有人
    kind: zone_entered
    area: yard
    classes: [person]
    schedule:
      windows: [{from: 22:00, to: 06:00, weekdays: [mon, sun]}]
  - {name: out, kind: line_crossed, area: gate, classes: [car], direction: a_to_b, severity: critical}
"""


def test_a_scene_reads_as_written() -> None:
    scene = load_scene(SCENE)
    night, out = scene.rules
    assert scene.lines[0].start == (0.0, 0.5)
    assert night.kind is RuleKind.ZONE_ENTERED
    assert night.schedule.windows == (TimeWindow(start_min=1320, end_min=360, weekdays=frozenset({0, 6})),)
    assert (out.direction, out.severity) == (Direction.A_TO_B, Severity.CRITICAL)


def test_the_form_in_the_documentation_is_a_scene() -> None:
    form = (devices.scene_file.__doc__ or "").partition("\n\n")[2]
    scene = load_scene(form)
    assert {rule.kind for rule in scene.rules} == set(RuleKind)
    assert scene.rules[0].schedule.windows[0].weekdays == frozenset(range(7))


def test_words_that_yaml_1_1_would_change_stay_words() -> None:
    scene = load_scene("zones: [{name: on, polygon: [[0,0],[1,0],[0,1]]}, {name: 12:30, polygon: [[0,0],[1,0],[0,1]]}]")
    assert [zone.name for zone in scene.zones] == ["on", "12:30"]


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nzones: *c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "zones",
        "- zones",
        "zones: {",
        "zones: [}",
        "zones:\n\t- x",
        LAUGHS,
        "zones: &x [*x]",
        "<<: {zones: []}",
        "zones: !!python/object/apply:os.system ['true']",
        "zones: !!timestamp x",
        "zones: !!int x",
        "zones: !!binary x",
        "zones: []\nzones: []",
        "zones: []\n---\nzones: []",
        "? [zones]\n: []",
        "1: []",
        "zones: " + "[" * 5000,
        "zones: " + "{a: " * 5000,
        "zones: \x00",
        "zones: \ud800",
        "zones: [{name: y, polygon: [[0, 0], [.nan, 0], [0, 1]]}]",
        "zones: [{name: y, polygon: [[0, 0], [.inf, 0], [0, 1]]}]",
        "zones: [{name: y, polygon: [[0, 0], [1e999, 0], [0, 1]]}]",
        "zones: [{name: y, polygon: [[0, 0], [" + "9" * 5000 + ", 0], [0, 1]]}]",
        "#" * (MAX_SCENE_CHARS + 1),
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        load_scene(text)
    assert len(str(caught.value)) < 500


def test_an_error_of_form_says_where() -> None:
    with pytest.raises(FieldError, match=r"2.*3"):
        load_scene("zones: []\n  rules: [")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_bytes("zones: [{name: 院}]".encode("gbk"))
    for path in (tmp_path / "nowhere.yaml", tmp_path, broken):
        with pytest.raises(InvalidInputError, match=path.name):
            load_scene_file(path)


def test_a_file_with_a_bom_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scene.yaml"
    path.write_text(SCENE, encoding="utf-8-sig")
    assert load_scene_file(path) == load_scene(SCENE)
