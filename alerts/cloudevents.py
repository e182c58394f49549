"""CloudEvents 1.0 in Kafka's binary mode: attributes as `ce_*` headers, the JSON value as the message's value.

Pure functions, any thread. An alert's `ce_id` is `<alert_id>.<revision>`, so a consumer that saw it once can drop the
repeat. Encoding raises `InvalidInputError` when a value is too large for the bus.
"""

import re
from datetime import datetime
from functools import lru_cache

import msgspec

from alerts.bus import Message, check_size
from alerts.contract import (
    TOPIC_ALERTS,
    TOPIC_CASE_UPDATES,
    TOPIC_DEVICE_STATE,
    TYPE_ALERT,
    TYPE_CASE_UPDATE,
    TYPE_DEVICE_STATE,
    AlertV1,
    CaseUpdateV1,
    DeviceStateV1,
)
from runtime.clock import utc

CONTENT_TYPE = b"application/json"

_encoder = msgspec.json.Encoder()
_NOT_URI = re.compile(r"[^A-Za-z0-9._~-]")


def alert_message(alert: AlertV1) -> Message:
    """The message that carries one revision of an alert."""
    return _message(
        TOPIC_ALERTS,
        alert.device_id,
        alert,
        (
            ("ce_id", f"{alert.alert_id}.{alert.revision}".encode()),
            ("ce_source", source(alert.owner)),
            ("ce_type", TYPE_ALERT.encode()),
            ("ce_time", _time(alert.updated_at)),
            ("ce_subject", alert.alert_id.encode()),
        ),
    )


def device_state_message(state: DeviceStateV1, owner: str) -> Message:
    """The message that carries the state of a device."""
    return _message(
        TOPIC_DEVICE_STATE,
        state.device_id,
        state,
        (
            ("ce_id", f"{state.device_id}.{state.condition}.{int(state.since.timestamp() * 1e6)}".encode()),
            ("ce_source", source(owner)),
            ("ce_type", TYPE_DEVICE_STATE.encode()),
            ("ce_time", _time(state.since)),
            ("ce_subject", state.device_id.encode()),
        ),
    )


def device_removed_message(device_id: str, now_ns: int, owner: str) -> Message:
    """The tombstone of a device's state: an empty value, so the compacted topic forgets the device."""
    attributes = (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{device_id}.removed.{now_ns // 1000}".encode()),
        ("ce_source", source(owner)),
        ("ce_type", TYPE_DEVICE_STATE.encode()),
        ("ce_time", _time(utc(now_ns))),
        ("ce_subject", device_id.encode()),
    )
    return Message(TOPIC_DEVICE_STATE, device_id, b"", attributes)


def case_update_message(update: CaseUpdateV1, sender: str) -> Message:
    """The message that carries an answer to an alert; keyed by the alert, so that its answers keep their order."""
    return _message(
        TOPIC_CASE_UPDATES,
        update.alert_id,
        update,
        (
            ("ce_id", update.update_id.encode()),
            ("ce_source", source(sender)),
            ("ce_type", TYPE_CASE_UPDATE.encode()),
            ("ce_time", _time(update.at)),
            ("ce_subject", update.alert_id.encode()),
        ),
    )


@lru_cache(maxsize=64)
def source(owner: str) -> bytes:
    """`ce_source` of a process: a URI reference, so everything but plain characters becomes a dash."""
    return b"/sharpeyes/" + _NOT_URI.sub("-", owner).encode()


def _message(topic: str, key: str, value: msgspec.Struct, attributes: tuple[tuple[str, bytes], ...]) -> Message:
    message = Message(
        topic,
        key,
        _encoder.encode(value),
        (("ce_specversion", b"1.0"), *attributes, ("content-type", CONTENT_TYPE)),
    )
    check_size(message)
    return message


def _time(moment: datetime) -> bytes:
    return moment.isoformat().replace("+00:00", "Z").encode()
