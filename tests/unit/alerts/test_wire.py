"""The wire form: CloudEvents headers, dead letters, sentences, schemas."""

import json
from datetime import UTC, datetime

import msgspec
import pytest
from jsonschema import Draft202012Validator

from alerts import wording
from alerts.bus import MAX_VALUE_BYTES, Message, Received
from alerts.call_revision import open_call
from alerts.cloudevents import alert_message, case_update_message, device_state_message
from alerts.contract import (
    TOPIC_ALERTS,
    AlertKind,
    CallOutcome,
    CallStep,
    CaseStatus,
    CaseUpdateV1,
    DeviceCondition,
    DeviceStateV1,
    Rating,
    Text,
)
from alerts.dead_letter import dead_letter
from alerts.schema_export import ASYNCAPI_FILE, SCHEMA_FOLDER, asyncapi_text, schema_files
from devices.model import DeviceKind, Direction
from runtime.clock import utc
from runtime.errors import InvalidInputError
from tests.unit.alerts.examples import T0_NS, box_place, camera_alert

UPDATE = CaseUpdateV1(update_id="u-1", alert_id="0" * 26, status=CaseStatus.ACCEPTED, at=utc(T0_NS))
STATE = DeviceStateV1(
    device_id="cam-1",
    device_kind=DeviceKind.CAMERA,
    condition=DeviceCondition.ONLINE,
    code="ok",
    reason=Text(zh="正常", en="works"),
    since=utc(T0_NS),
)


def test_an_alert_carries_the_cloudevents_attributes() -> None:
    alert = camera_alert(owner="worker 1/东")
    message = alert_message(alert)
    assert (message.topic, message.key) == (TOPIC_ALERTS, "cam-1")
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{alert.alert_id}.1".encode(),
        "ce_source": b"/sharpeyes/worker-1--",
        "ce_type": b"sharpeyes.alert.v1",
        "ce_time": b"2026-01-01T00:00:00Z",
        "ce_subject": alert.alert_id.encode(),
        "content-type": b"application/json",
    }
    assert json.loads(message.value)["summary"]["zh"] == alert.summary.zh


def test_updates_are_keyed_by_alert_and_states_by_device() -> None:
    assert case_update_message(UPDATE, "cli").key == "0" * 26
    assert device_state_message(STATE, "worker").key == "cam-1"


def test_an_alert_too_large_for_the_bus_is_refused_when_it_is_made() -> None:
    with pytest.raises(InvalidInputError, match="does not fit"):
        alert_message(camera_alert(device_name="x" * MAX_VALUE_BYTES))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alert.v1", camera_alert()),
        ("alert.v1", open_call(box_place(), "bridge", T0_NS)),
        ("case-update.v1", UPDATE),
        ("device-state.v1", STATE),
    ],
)
def test_what_is_sent_validates_by_its_schema_file(name: str, value: msgspec.Struct) -> None:
    schema = json.loads((SCHEMA_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(msgspec.json.encode(value)))


def test_the_schema_refuses_what_is_no_alert() -> None:
    schema = json.loads((SCHEMA_FOLDER / "alert.v1.json").read_text(encoding="utf-8"))
    broken = json.loads(msgspec.json.encode(camera_alert())) | {"revision": 0, "status": "eaten"}
    assert len(list(Draft202012Validator(schema).iter_errors(broken))) == 2


def test_schemas_and_asyncapi_document_are_those_of_the_types() -> None:
    for path, text in {**schema_files(), ASYNCAPI_FILE: asyncapi_text()}.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python -m alerts.schema_export"


def test_a_dead_letter_is_bounded_however_hostile_the_original() -> None:
    headers = tuple((f"h{n}" * 500, b"x" * 100_000) for n in range(1000))
    original = Message("t", "k" * 100_000, b"v" * 5_000_000, headers)
    letter = dead_letter(Received(original, 0, 0), "reason " * 1000)
    size_bytes = len(letter.key) + len(letter.value) + sum(len(n) + len(v) for n, v in letter.headers)
    assert size_bytes < MAX_VALUE_BYTES


def test_every_kind_and_step_has_words_in_both_languages() -> None:
    texts = [
        wording.zone_entered("A", "person", "水边"),
        wording.line_crossed("A", "dog", "路口", Direction.A_TO_B),
        wording.line_crossed("A", "unknown-thing", "路口", None),
        wording.loitering("A", "person", "水边", 61.4),
        wording.sensor_above("A", "water_level", 3.25, 3.0, "m"),
        wording.sensor_below("A", "battery", 0.1, 0.2, ""),
        wording.sensor_missing("A", "rainfall", 900),
        *(wording.call("A", step, "柳树村") for step in CallStep),
        *(wording.call_closed("A", outcome, Rating.UP) for outcome in CallOutcome),
        *wording.KINDS.values(),
    ]
    assert set(wording.KINDS) == set(AlertKind)
    for text in texts:
        assert text.zh != text.en
        assert any("\u4e00" <= char <= "\u9fff" for char in text.zh)
        assert text.en.isascii() or "“" in text.en or "柳" in text.en


def test_moments_without_an_offset_are_refused() -> None:
    naive = msgspec.json.encode({**msgspec.to_builtins(UPDATE), "at": datetime(2026, 1, 1).isoformat()})  # noqa: DTZ001
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(naive, type=CaseUpdateV1)
    with_offset = msgspec.json.encode({**msgspec.to_builtins(UPDATE), "at": "2026-01-01T08:00:00+08:00"})
    assert msgspec.json.decode(with_offset, type=CaseUpdateV1).at == datetime(2026, 1, 1, tzinfo=UTC)
