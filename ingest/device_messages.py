"""The MQTT contract of call boxes and sensors: topics and payloads to values, commands to payloads.

Pure functions, called on the bridge's loop. A topic or payload that breaks the contract raises `InvalidInputError`,
never anything else; nothing is cut or repaired. Fields that the contract does not name are ignored, so that a newer
firmware that says more is still heard.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from alerts.call import BoxKey, BoxStep
from devices.model import DeviceKind, Sensor
from devices.validation import ID_PATTERN
from runtime.errors import InvalidInputError

TOPIC_ROOT = "sharpeyes/v1"

MAX_PAYLOAD_BYTES = 4096
"""Ten times the longest message of the contract; also bounds how deep JSON can nest."""

MAX_SEQ = 2**53 - 1
"""The largest integer that every JSON reader and a SQLite column hold exactly."""

SHOWN_CHARS = 80
"""How much of a hostile topic or value an error repeats."""

EVENT_FILTER = f"{TOPIC_ROOT}/callbox/+/event"
STATE_FILTER = f"{TOPIC_ROOT}/+/+/state"
READING_FILTER = f"{TOPIC_ROOT}/sensor/+/reading"
BRIDGE_FILTERS = (EVENT_FILTER, STATE_FILTER, READING_FILTER)
"""What the bridge subscribes to."""

Boot = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}$")]
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
DeviceTimeMs = Annotated[int, Meta(ge=0, le=MAX_SEQ)]
ShortWord = Annotated[str, Meta(min_length=1, max_length=64)]


class Channel(StrEnum):
    """The last level of a topic that a device publishes to."""

    EVENT = "event"
    STATE = "state"
    READING = "reading"


class KeyPress(Struct, frozen=True, kw_only=True):
    """One press. The same `boot` and `seq` are the same press. `t_ms` is the box's own clock, not believed."""

    boot: Boot
    seq: Seq
    key: BoxKey
    t_ms: DeviceTimeMs | None = None


class DeviceReport(Struct, frozen=True, kw_only=True):
    """The retained state of a device, or its last will ("lost")."""

    state: Literal["ready", "lost"]
    battery: Annotated[float, Meta(ge=0.0, le=1.0)] | None = None
    fw: Annotated[str, Meta(max_length=64)] | None = None


class SensorReading(Struct, frozen=True, kw_only=True):
    """One measured value. JSON has no NaN and no infinity, so `value` is finite."""

    boot: Boot
    seq: Seq
    metric: ShortWord
    value: float
    unit: Annotated[str, Meta(max_length=64)]
    t_ms: DeviceTimeMs | None = None


Payload = KeyPress | DeviceReport | SensorReading


class Address(Struct, frozen=True):
    """Who sent a message and what kind of message it is."""

    kind: DeviceKind
    device_id: str
    channel: Channel


_CHANNELS = {
    (DeviceKind.CALLBOX, "event"): Channel.EVENT,
    (DeviceKind.CALLBOX, "state"): Channel.STATE,
    (DeviceKind.SENSOR, "reading"): Channel.READING,
    (DeviceKind.SENSOR, "state"): Channel.STATE,
}
_KINDS = {"callbox": DeviceKind.CALLBOX, "sensor": DeviceKind.SENSOR}
_DECODERS: dict[Channel, msgspec.json.Decoder[Payload]] = {
    Channel.EVENT: msgspec.json.Decoder(KeyPress),
    Channel.STATE: msgspec.json.Decoder(DeviceReport),
    Channel.READING: msgspec.json.Decoder(SensorReading),
}


def parse_topic(topic: str) -> Address:
    """The address in a topic a device published to; InvalidInputError for any other topic."""
    if topic.startswith(TOPIC_ROOT + "/"):
        levels = topic[len(TOPIC_ROOT) + 1 :].split("/")
        if len(levels) == 3 and levels[0] in _KINDS:
            kind = _KINDS[levels[0]]
            channel = _CHANNELS.get((kind, levels[2]))
            if channel is not None and ID_PATTERN.fullmatch(levels[1]):
                return Address(kind, levels[1], channel)
    raise InvalidInputError(
        f"topic {topic[:SHOWN_CHARS]!r}: not of the contract; use {TOPIC_ROOT}/callbox/ID/event or state, "
        f"{TOPIC_ROOT}/sensor/ID/reading or state"
    )


def parse_payload(channel: Channel, payload: bytes) -> Payload:
    """The message in a payload of that channel; InvalidInputError saying what is wrong."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise too_large(channel, len(payload))
    try:
        return _DECODERS[channel].decode(payload)
    except RecursionError:
        raise InvalidInputError(f"{channel}: JSON nested too deeply") from None
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{channel}: {str(error)[: 4 * SHOWN_CHARS]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{channel}: not JSON: {str(error)[:SHOWN_CHARS]}") from None


def too_large(channel: Channel, size_bytes: int) -> InvalidInputError:
    """The refusal of a payload over the bound."""
    return InvalidInputError(f"{channel}: {size_bytes} bytes are too many; at most {MAX_PAYLOAD_BYTES} are read")


def check_reading(sensor: Sensor, reading: SensorReading) -> None:
    """Raise InvalidInputError unless the reading is of the metric and unit that the sensor is registered with."""
    if (reading.metric, reading.unit) != (sensor.metric, sensor.unit):
        raise InvalidInputError(
            f"reading: {reading.metric!r} in {reading.unit!r}, but {sensor.sensor_id} is registered as "
            f"{sensor.metric!r} in {sensor.unit!r}"
        )


def command_topic(callbox_id: str) -> str:
    """Where a call box listens."""
    return f"{TOPIC_ROOT}/callbox/{callbox_id}/cmd"


def ack_payload(boot: str, seq: int) -> bytes:
    """The command that tells a box that this press is safe: it stops repeating it."""
    return msgspec.json.encode({"cmd": "ack", "boot": boot, "seq": seq})


def command_payload(step: BoxStep, call_id: str) -> bytes:
    """The command that tells a box where its call stands."""
    return msgspec.json.encode({"cmd": step, "call": call_id})
