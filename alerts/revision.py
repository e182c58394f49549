"""How an alert goes from one revision to the next: the id of a new one, and the numbers and times of a later one.

Pure functions. Every revision is one higher and not earlier than the one before, even when the host's clock goes back.
"""

import msgspec
from ulid import ULID

from alerts.contract import AlertV1, Change
from runtime.clock import NS_PER_S, utc


def new_alert_id(t_ns: int) -> str:
    """A ULID that sorts by `t_ns` (UTC nanoseconds)."""
    return str(ULID.from_timestamp(t_ns / NS_PER_S))


def revise(alert: AlertV1, change: Change, now_ns: int, **fields: object) -> AlertV1:
    """The next revision of `alert` with `fields` replaced; `closed_at` is set when the change closes it."""
    updated_at = max(utc(now_ns), alert.updated_at)
    if change is Change.CLOSED:
        fields["closed_at"] = updated_at
    return msgspec.structs.replace(alert, revision=alert.revision + 1, change=change, updated_at=updated_at, **fields)
