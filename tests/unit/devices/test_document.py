"""Records and their plain form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.document import callbox_from, camera_from, scene_from, sensor_from, site_from, to_document
from devices.model import (
    Crossing,
    Direction,
    Line,
    RuleKind,
    Schedule,
    Sensor,
    Severity,
    Threshold,
    TimeWindow,
    Zone,
)
from devices.scene import Rule, Scene
from devices.validation import FieldError
from tests.registry_records import callbox, camera, full_camera, site

names = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=20)
fractions = st.floats(0, 1)
points = st.tuples(fractions, fractions)
numbers = st.floats(-1e9, 1e9)
schedules = st.builds(
    Schedule,
    timezone=st.sampled_from(["Asia/Shanghai", "UTC", "Europe/Berlin"]),
    windows=st.lists(
        st.builds(
            TimeWindow,
            start_min=st.integers(0, 1439),
            end_min=st.integers(0, 1440),
            weekdays=st.frozensets(st.integers(0, 6), min_size=1),
        ),
        max_size=3,
    ).map(tuple),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    zone_names = draw(st.lists(names, unique=True, min_size=1, max_size=3))
    line_names = draw(st.lists(names, unique=True, min_size=1, max_size=3))
    corner = draw(st.floats(0, 0.5))
    triangle = ((corner, corner), (corner + 0.5, corner), (corner, corner + 0.5))
    rules = []
    for name in draw(st.lists(names, unique=True, max_size=3)):
        kind = draw(st.sampled_from(RuleKind))
        is_line = kind is RuleKind.LINE_CROSSED
        rules.append(
            Rule(
                name=name,
                kind=kind,
                area=draw(st.sampled_from(line_names if is_line else zone_names)),
                classes=draw(st.frozensets(names, min_size=1, max_size=4)),
                direction=draw(st.sampled_from(Direction)) if is_line else Direction.BOTH,
                dwell_s=draw(st.floats(0.1, 3600)) if kind is RuleKind.LOITERING else 0.0,
                min_height=draw(fractions),
                schedule=draw(schedules),
                cooldown_s=draw(st.floats(0, 3600)),
                severity=draw(st.sampled_from(Severity)),
            )
        )
    ends = draw(st.tuples(points, points).filter(lambda both: both[0] != both[1]))
    return Scene(
        zones=tuple(Zone(name=name, polygon=triangle) for name in zone_names),
        lines=tuple(Line(name=name, start=ends[0], end=ends[1]) for name in line_names),
        rules=tuple(rules),
    )


@given(scenes())
def test_any_scene_survives_the_way_through_json(scene: Scene) -> None:
    assert scene_from(json.loads(json.dumps(to_document(scene)))) == scene


@given(trip=numbers, margin=st.floats(0, 1e9), dwell_s=st.floats(0, 3600), unit=st.sampled_from(["m", "℃", ""]))
def test_any_sensor_survives_the_way_through_json(trip: float, margin: float, dwell_s: float, unit: str) -> None:
    limits = (
        Threshold(name="high", crossing=Crossing.ABOVE, trip=trip, clear=trip - margin, dwell_s=dwell_s),
        Threshold(name="low", crossing=Crossing.BELOW, trip=trip, clear=trip + margin, dwell_s=dwell_s),
    )
    one = Sensor(sensor_id="s", name="n", site_id="v", metric="level", unit=unit, thresholds=limits)
    assert sensor_from(json.loads(json.dumps(to_document(one)))) == one


def test_every_kind_of_record_comes_back_from_its_document() -> None:
    full = full_camera("cam")
    assert camera_from(to_document(full), full.credentials) == full
    assert callbox_from(to_document(callbox("box"))) == callbox("box")
    assert site_from(to_document(site("v"))) == site("v")


def test_a_camera_document_holds_no_login() -> None:
    assert "admin" not in json.dumps(to_document(full_camera("cam")))


def test_what_has_a_default_may_be_left_out() -> None:
    short = {
        "camera_id": "cam",
        "name": "Camera cam",
        "site_id": "village",
        "main_url": "rtsp://192.0.2.1/main",
        "purpose": "traffic",
        "place_type": "road",
    }
    assert camera_from(short) == camera("cam")


ZONE = {"name": "yard", "polygon": [[0, 0], [1, 0], [0, 1]]}
RULE = {"name": "r", "kind": "zone_entered", "area": "yard", "classes": ["person"]}


def scene(**changes: Any) -> dict[str, Any]:
    return {"zones": [ZONE], "rules": [{**RULE, **changes}]}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (None, ""),
        ([], ""),
        ({"zone": []}, ""),
        ({"zones": {}}, "zones"),
        ({"zones": "yard"}, "zones"),
        ({"zones": [ZONE] * 65}, "zones"),
        ({"zones": [ZONE, ZONE]}, "zones[1].name"),
        ({"zones": [{"name": "yard"}]}, "zones[0].polygon"),
        ({"zones": [ZONE, {**ZONE, "name": 7}]}, "zones[1].name"),
        ({"zones": [{**ZONE, "polygon": [[0, 0]] * 65}]}, "zones[0].polygon"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [1, 1]]}]}, "zones[0].polygon"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [0.5, 0.5], [1, 1]]}]}, "zones[0].polygon"),
        ({"zones": [{**ZONE, "polygon": [[0, 0, 0], [1, 0], [0, 1]]}]}, "zones[0].polygon[0]"),
        ({"zones": [{**ZONE, "polygon": [[0], [1, 0], [0, 1]]}]}, "zones[0].polygon[0]"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [1.5, 0], [0, 1]]}]}, "zones[0].polygon[1]"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [float("nan"), 0], [0, 1]]}]}, "zones[0].polygon[1][0]"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [1, 0], [0, True]]}]}, "zones[0].polygon[2][1]"),
        ({"zones": [{**ZONE, "polygon": [[0, 0], [1, 0], [0, 10**400]]}]}, "zones[0].polygon[2][1]"),
        ({"lines": [{"name": "l", "start": [0, 0], "end": [0, 0]}]}, "lines[0].end"),
        ({"lines": [{"name": "l", "start": [0, 0], "end": ["0", 0]}]}, "lines[0].end[0]"),
        (scene(area="gate"), "rules[0].area"),
        (scene(kind="line_crossed"), "rules[0].area"),
        (scene(kind="face_seen"), "rules[0].kind"),
        (scene(kind=["zone_entered"]), "rules[0].kind"),
        (scene(classes=[]), "rules[0].classes"),
        (scene(classes=["person", "person"]), "rules[0].classes"),
        (scene(classes=["x" * 41]), "rules[0].classes"),
        (scene(classes=["\ud800"]), "rules[0].classes"),
        (scene(kind="loitering"), "rules[0].dwell_s"),
        (scene(dwell_s=5), "rules[0].dwell_s"),
        (scene(direction="a_to_b"), "rules[0].direction"),
        (scene(min_height=1.01), "rules[0].min_height"),
        (scene(cooldown_s=-1), "rules[0].cooldown_s"),
        (scene(cooldown_s=float("inf")), "rules[0].cooldown_s"),
        (scene(severity=None), "rules[0].severity"),
        (scene(name="a\nb"), "rules[0].name"),
        (scene(name="x" * 5000), "rules[0].name"),
        (scene(schedule={"timezone": "Mars/Base"}), "rules[0].schedule.timezone"),
        (scene(schedule={"timezone": "../../etc/passwd"}), "rules[0].schedule.timezone"),
        (scene(schedule={"timezone": ""}), "rules[0].schedule.timezone"),
        (scene(schedule={"windows": [{"from": "24:00", "to": "06:00"}]}), "rules[0].schedule.windows[0].from"),
        (scene(schedule={"windows": [{"from": "9:00", "to": "06:00"}]}), "rules[0].schedule.windows[0].from"),
        (scene(schedule={"windows": [{"from": 1320, "to": "06:00"}]}), "rules[0].schedule.windows[0].from"),
        (scene(schedule={"windows": [{"to": "06:00"}]}), "rules[0].schedule.windows[0].from"),
        (
            scene(schedule={"windows": [{"from": "08:00", "to": "24:00", "weekdays": ["monday"]}]}),
            "rules[0].schedule.windows[0].weekdays[0]",
        ),
        (
            scene(schedule={"windows": [{"from": "08:00", "to": "24:00", "weekdays": []}]}),
            "rules[0].schedule.windows[0].weekdays",
        ),
    ],
)
def test_a_wrong_scene_is_refused_with_the_path_of_what_is_wrong(document: object, path: str) -> None:
    with pytest.raises(FieldError) as caught:
        scene_from(document)
    assert caught.value.path == path


def test_an_error_repeats_only_the_beginning_of_a_long_value() -> None:
    with pytest.raises(FieldError) as caught:
        scene_from(scene(area="x" * 4000))
    assert len(str(caught.value)) < 300
