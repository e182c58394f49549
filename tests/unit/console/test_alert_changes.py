"""What people read of an alert's revisions: what each changed, on lines that fit, and where its files are."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from alerts.contract import (
    AlertKind,
    AlertV1,
    CallDetail,
    CallStep,
    CaseRef,
    CaseStatus,
    Change,
    ClipRef,
    ClipState,
    ObjectRef,
    Text,
)
from console.alert_changes import what_changed
from console.alert_output import LINE_COLUMNS, details, line
from ingest.directory_store import DirectoryStore
from ingest.open_store import OBJECTS_FOLDER, place_of_object
from ingest.settings import ObjectStoreSettings
from runtime.clock import utc
from tests.unit.alerts.examples import T0_NS, camera_alert

T0 = utc(T0_NS)
SHA = "0" * 64
SNAPSHOT = ObjectRef(key="snapshots/cam-1/a.jpg", content_type="image/jpeg", size_bytes=1, sha256=SHA)
CLIP = ClipRef(clip_id="c", key="clips/cam-1/c.mp4", size_bytes=1, sha256=SHA, codec="avc1", started_at=T0, ended_at=T0)


def updated(alert: AlertV1, **fields: object) -> AlertV1:
    return replace(alert, revision=alert.revision + 1, change=Change.UPDATED, **fields)


def call(step: CallStep, escalations: int = 0) -> CallDetail:
    return CallDetail(step=step, site_id="village", escalations=escalations)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"clip": CLIP, "clip_state": ClipState.READY}, "clip ready"),
        ({"clip_state": ClipState.LOST}, "clip lost"),
        ({"snapshot": SNAPSHOT}, "snapshot ready"),
        ({"case": CaseRef(status=CaseStatus.ACCEPTED, at=T0)}, "taken over"),
        ({"severity": "critical"}, "updated"),
    ],
)
def test_an_update_of_a_camera_alert_says_what_is_new(fields: dict[str, object], said: str) -> None:
    before = camera_alert(clip_state=ClipState.PENDING)
    assert what_changed(updated(before, **fields), before) == said


@pytest.mark.parametrize("knows_before", [True, False])
def test_an_update_of_a_call_says_how_it_stands(knows_before: bool) -> None:
    pressed = camera_alert(kind=AlertKind.CALL, call=call(CallStep.OPEN))
    ringing = updated(pressed, call=call(CallStep.RINGING))
    escalated = updated(ringing, call=call(CallStep.RINGING, 1))
    assert what_changed(ringing, pressed if knows_before else None) == "ringing"
    assert what_changed(escalated, ringing if knows_before else None) == "escalated"


def test_the_status_is_said_where_that_is_what_changed() -> None:
    assert what_changed(camera_alert(change=Change.DISPATCHED), None) == "dispatched"


@pytest.mark.parametrize("name", ["gate " * 40, "东门摄像机" * 20])
def test_a_line_fits_the_terminal(name: str) -> None:
    shown = line(camera_alert(summary=Text(zh=name, en=name)))
    assert cell_len(shown.plain) <= LINE_COLUMNS


def test_the_story_of_an_alert_repeats_neither_its_id_nor_its_sentence() -> None:
    opened = camera_alert(clip_state=ClipState.PENDING)
    ready = updated(opened, clip=CLIP, clip_state=ClipState.READY)
    output = Console(width=200)
    with output.capture() as captured:
        output.print(details(ready, [opened, ready], lambda key: f"/store/{key}"))
    shown = captured.get()
    assert "/store/clips/cam-1/c.mp4" in shown
    assert shown.count(opened.alert_id[:14]) == 1
    assert shown.count("entered zone") == 2, "once as what it is about, once in the first line of the story"
    assert "clip ready" in shown


def test_an_object_is_found_where_people_are_told(tmp_path: Path) -> None:
    source = tmp_path / "made.mp4"
    source.write_bytes(b"clip")
    store = DirectoryStore(tmp_path / OBJECTS_FOLDER)
    store.put_file("clips/cam-1/c.mp4", source, "video/mp4", SHA)
    told = place_of_object(ObjectStoreSettings(), tmp_path, "clips/cam-1/c.mp4")
    assert Path(told) == tmp_path / "objects" / "clips" / "cam-1" / "c.mp4"
    assert Path(told).read_bytes() == b"clip"
    assert list(store.keys("")) == ["clips/cam-1/c.mp4"]


def test_an_object_on_a_server_is_named_by_its_url(tmp_path: Path) -> None:
    settings = ObjectStoreSettings(s3_endpoint="127.0.0.1:9000", s3_bucket="clips-of-county")
    assert place_of_object(settings, tmp_path, "clips/c.mp4") == "s3://clips-of-county/clips/c.mp4"
