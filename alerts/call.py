"""The state machine of a help call, as one table. Pure: no clock, no store, no network.

A case update that is not in the table is out of order. A key that is not in it changes nothing: the box is told again
where its call stands. A time-out or publication that is not in it came too late and is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from alerts.contract import AlertStatus, CallOutcome, CallStep, CaseStatus, Change


class BoxKey(StrEnum):
    """The four keys of a call box: green, red, thumb up, thumb down."""

    CALL = "call"
    HANGUP = "hangup"
    UP = "up"
    DOWN = "down"


class BoxStep(StrEnum):
    """What a call box is told about its call."""

    RINGING = "ringing"
    ANSWERED = "answered"
    ASSIGNED = "assigned"
    ARRIVED = "arrived"
    RATE = "rate"
    CLOSED = "closed"


class Stimulus(StrEnum):
    """Everything that can happen to a call."""

    CALL_KEY = "call_key"
    HANGUP_KEY = "hangup_key"
    THUMB_UP = "thumb_up"
    THUMB_DOWN = "thumb_down"
    PUBLISHED = "published"
    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    RESOLVED = "resolved"
    REJECTED = "rejected"
    ESCALATION_TIMEOUT = "escalation_timeout"
    RATING_TIMEOUT = "rating_timeout"


@dataclass(frozen=True, slots=True)
class Move:
    """What a stimulus does: the next step, what the revision is, what the box is told, how the call ended."""

    step: CallStep
    change: Change
    tell: BoxStep | None = None
    outcome: CallOutcome | None = None


_OPEN, _RINGING, _ANSWERED = CallStep.OPEN, CallStep.RINGING, CallStep.ANSWERED
_DISPATCHED, _RATING, _CLOSED = CallStep.DISPATCHED, CallStep.RATING, CallStep.CLOSED
_S, _C, _B, _O = Stimulus, Change, BoxStep, CallOutcome

# fmt: off
TABLE: Mapping[tuple[CallStep | None, Stimulus], Move] = {
    # step        stimulus                    next step     change            the box hears  outcome
    (None,        _S.CALL_KEY):          Move(_OPEN,       _C.OPENED),

    (_OPEN,       _S.PUBLISHED):         Move(_RINGING,    _C.UPDATED,       _B.RINGING),
    (_OPEN,       _S.ACCEPTED):          Move(_ANSWERED,   _C.ACKNOWLEDGED,  _B.ANSWERED),
    (_OPEN,       _S.ASSIGNED):          Move(_DISPATCHED, _C.DISPATCHED,    _B.ASSIGNED),
    (_OPEN,       _S.RESOLVED):          Move(_RATING,     _C.RESOLVED,      _B.RATE),
    (_OPEN,       _S.REJECTED):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.REJECTED),
    (_OPEN,       _S.HANGUP_KEY):        Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.ABANDONED),

    (_RINGING,    _S.ESCALATION_TIMEOUT): Move(_RINGING,   _C.UPDATED),  # one level up; at the root nothing
    (_RINGING,    _S.ACCEPTED):          Move(_ANSWERED,   _C.ACKNOWLEDGED,  _B.ANSWERED),
    (_RINGING,    _S.ASSIGNED):          Move(_DISPATCHED, _C.DISPATCHED,    _B.ASSIGNED),
    (_RINGING,    _S.RESOLVED):          Move(_RATING,     _C.RESOLVED,      _B.RATE),
    (_RINGING,    _S.REJECTED):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.REJECTED),
    (_RINGING,    _S.HANGUP_KEY):        Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.ABANDONED),

    (_ANSWERED,   _S.ACCEPTED):          Move(_ANSWERED,   _C.UPDATED),  # somebody else took it over
    (_ANSWERED,   _S.ASSIGNED):          Move(_DISPATCHED, _C.DISPATCHED,    _B.ASSIGNED),
    (_ANSWERED,   _S.RESOLVED):          Move(_RATING,     _C.RESOLVED,      _B.RATE),
    (_ANSWERED,   _S.REJECTED):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.REJECTED),
    (_ANSWERED,   _S.HANGUP_KEY):        Move(_RATING,     _C.RESOLVED,      _B.RATE),

    (_DISPATCHED, _S.ASSIGNED):          Move(_DISPATCHED, _C.UPDATED,       _B.ASSIGNED),  # somebody else goes
    (_DISPATCHED, _S.RESOLVED):          Move(_RATING,     _C.RESOLVED,      _B.RATE),
    (_DISPATCHED, _S.REJECTED):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.REJECTED),
    (_DISPATCHED, _S.HANGUP_KEY):        Move(_RATING,     _C.RESOLVED,      _B.RATE),

    # the green key while a rating is awaited: that call ends and a new one opens
    (_RATING,     _S.CALL_KEY):          Move(_CLOSED,     _C.CLOSED,        None,          _O.UNRATED),
    (_RATING,     _S.THUMB_UP):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.RATED),
    (_RATING,     _S.THUMB_DOWN):        Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.RATED),
    (_RATING,     _S.RATING_TIMEOUT):    Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.UNRATED),
    (_RATING,     _S.ASSIGNED):          Move(_RATING,     _C.UPDATED,       _B.ASSIGNED),  # hung up, help comes
    (_RATING,     _S.RESOLVED):          Move(_RATING,     _C.UPDATED,       _B.RATE),
    (_RATING,     _S.REJECTED):          Move(_CLOSED,     _C.CLOSED,        _B.CLOSED,     _O.REJECTED),
}
# fmt: on

STATUS_OF_STEP: Mapping[CallStep, AlertStatus] = {
    CallStep.OPEN: AlertStatus.OPEN,
    CallStep.RINGING: AlertStatus.OPEN,
    CallStep.ANSWERED: AlertStatus.ACKNOWLEDGED,
    CallStep.DISPATCHED: AlertStatus.DISPATCHED,
    CallStep.RATING: AlertStatus.RESOLVED,
    CallStep.CLOSED: AlertStatus.CLOSED,
}

BOX_HEARS: Mapping[CallStep, BoxStep | None] = {
    CallStep.OPEN: None,
    CallStep.RINGING: BoxStep.RINGING,
    CallStep.ANSWERED: BoxStep.ANSWERED,
    CallStep.DISPATCHED: BoxStep.ASSIGNED,
    CallStep.RATING: BoxStep.RATE,
    CallStep.CLOSED: BoxStep.CLOSED,
}
"""What a box that comes back is told again. An open call is not on the bus yet: nobody can hear it ring."""

STIMULUS_OF_KEY: Mapping[BoxKey, Stimulus] = {
    BoxKey.CALL: Stimulus.CALL_KEY,
    BoxKey.HANGUP: Stimulus.HANGUP_KEY,
    BoxKey.UP: Stimulus.THUMB_UP,
    BoxKey.DOWN: Stimulus.THUMB_DOWN,
}

STIMULUS_OF_CASE: Mapping[CaseStatus, Stimulus] = {
    CaseStatus.ACCEPTED: Stimulus.ACCEPTED,
    CaseStatus.ASSIGNED: Stimulus.ASSIGNED,
    CaseStatus.RESOLVED: Stimulus.RESOLVED,
    CaseStatus.REJECTED: Stimulus.REJECTED,
}


def move_of(step: CallStep | None, stimulus: Stimulus) -> Move | None:
    """The row of the table; None when there is none. `step` None: the box has no open call."""
    return TABLE.get((step, stimulus))
