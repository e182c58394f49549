import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.call import BoxKey, BoxStep
from devices.model import DeviceKind, Sensor
from ingest.device_messages import (
    MAX_PAYLOAD_BYTES,
    Address,
    Channel,
    DeviceReport,
    KeyPress,
    SensorReading,
    ack_payload,
    check_reading,
    command_payload,
    command_topic,
    parse_payload,
    parse_topic,
)
from runtime.errors import InvalidInputError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("boot", "seq", "key", "t_ms", "state", "battery", "fw", "metric", "value", "unit")
CHANNELS = st.sampled_from(list(Channel))


def test_a_press_is_read_with_all_its_fields() -> None:
    press = parse_payload(Channel.EVENT, b'{"boot": "b1", "seq": 7, "key": "call", "t_ms": 5}')
    assert press == KeyPress(boot="b1", seq=7, key=BoxKey.CALL, t_ms=5)


def test_a_state_with_battery_and_firmware_is_read() -> None:
    assert parse_payload(Channel.STATE, b'{"state": "ready", "battery": 0.8, "fw": "1.2"}') == DeviceReport(
        state="ready", battery=0.8, fw="1.2"
    )


def test_fields_of_a_newer_firmware_are_passed_over() -> None:
    press = parse_payload(Channel.EVENT, b'{"boot": "b", "seq": 1, "key": "up", "rssi": -70, "nested": {"a": []}}')
    assert press == KeyPress(boot="b", seq=1, key=BoxKey.UP)


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[1]", "object"),
        (b'{"seq": 1, "key": "call"}', "boot"),
        (b'{"boot": "", "seq": 1, "key": "call"}', "boot"),
        (b'{"boot": "a b", "seq": 1, "key": "call"}', "boot"),
        (b'{"boot": "%s", "seq": 1, "key": "call"}' % (b"x" * 65), "boot"),
        (b'{"boot": "a", "seq": "1", "key": "call"}', "seq"),
        (b'{"boot": "a", "seq": true, "key": "call"}', "seq"),
        (b'{"boot": "a", "seq": -1, "key": "call"}', "seq"),
        (b'{"boot": "a", "seq": 9007199254740992, "key": "call"}', "seq"),
        (b'{"boot": "a", "seq": NaN, "key": "call"}', "not JSON"),
        (b'{"boot": "a", "seq": 1, "key": "purple"}', "key"),
        (b'{"boot": "a", "seq": 1, "key": "call", "t_ms": -5}', "t_ms"),
        (b'{"a": ' + b"[" * 3000, "nested|not JSON"),
        (b" " * (MAX_PAYLOAD_BYTES + 1), "4097 bytes"),
    ],
)
def test_a_bad_press_is_refused_in_words_that_name_the_trouble(payload: bytes, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word):
        parse_payload(Channel.EVENT, payload)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"1.2"', "null", "true"])
def test_a_value_that_is_no_finite_number_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_payload(Channel.READING, f'{{"boot":"a","seq":1,"metric":"rain","unit":"mm","value":{value}}}'.encode())


@pytest.mark.parametrize("battery", ["-0.1", "1.1", "80"])
def test_a_battery_outside_nought_to_one_is_refused(battery: str) -> None:
    with pytest.raises(InvalidInputError, match="battery"):
        parse_payload(Channel.STATE, f'{{"state": "ready", "battery": {battery}}}'.encode())


@given(CHANNELS, st.binary(max_size=600))
def test_any_bytes_give_a_message_or_a_refusal(channel: Channel, payload: bytes) -> None:
    with contextlib.suppress(InvalidInputError):
        parse_payload(channel, payload)


@given(CHANNELS, st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES))
def test_any_json_gives_a_message_within_its_bounds_or_a_refusal(channel: Channel, fields: dict[str, object]) -> None:
    try:
        message = parse_payload(channel, json.dumps(fields).encode())
    except InvalidInputError:
        return
    if isinstance(message, SensorReading):
        assert math.isfinite(message.value)
    if isinstance(message, KeyPress | SensorReading):
        assert 0 <= message.seq < 2**53
        assert 1 <= len(message.boot) <= 64


@given(st.text(max_size=200))
def test_any_topic_gives_an_address_or_a_refusal(topic: str) -> None:
    with contextlib.suppress(InvalidInputError):
        parse_topic(topic)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True))
def test_every_device_id_is_found_in_its_topic(device_id: str) -> None:
    assert parse_topic(f"sharpeyes/v1/callbox/{device_id}/event") == Address(
        DeviceKind.CALLBOX, device_id, Channel.EVENT
    )
    assert parse_topic(f"sharpeyes/v1/sensor/{device_id}/reading").kind is DeviceKind.SENSOR


@pytest.mark.parametrize(
    "topic",
    [
        "sharpeyes/v1/callbox/a/cmd",
        "sharpeyes/v1/callbox/a/reading",
        "sharpeyes/v1/sensor/a/event",
        "sharpeyes/v1/camera/a/event",
        "sharpeyes/v1/callbox//event",
        "sharpeyes/v1/callbox/a b/event",
        "sharpeyes/v1/callbox/a/event/x",
        "sharpeyes/v2/callbox/a/event",
        "sharpeyes/v1",
        "",
    ],
)
def test_a_topic_outside_the_contract_is_refused(topic: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_topic(topic)


def test_a_reading_in_another_unit_or_of_another_metric_is_refused() -> None:
    gauge = Sensor(sensor_id="g", name="g", site_id="s", metric="water_level", unit="m")
    reading = SensorReading(boot="b", seq=1, metric="water_level", value=1.0, unit="m")
    check_reading(gauge, reading)
    for other in ({"unit": "cm"}, {"metric": "rainfall"}):
        fields = {"boot": "b", "seq": 1, "metric": "water_level", "value": 1.0, "unit": "m"} | other
        with pytest.raises(InvalidInputError, match="registered as"):
            check_reading(gauge, SensorReading(**fields))


def test_commands_are_as_the_contract_writes_them() -> None:
    assert command_topic("box-1") == "sharpeyes/v1/callbox/box-1/cmd"
    assert json.loads(ack_payload("b1", 7)) == {"cmd": "ack", "boot": "b1", "seq": 7}
    assert json.loads(command_payload(BoxStep.RINGING, "C1")) == {"cmd": "ringing", "call": "C1"}
