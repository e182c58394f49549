"""What case updates do to alerts that are not calls, as one table. Pure.

An update that is not in the table is out of order: skipping forward is allowed, going back is not, and a resolved or
closed alert takes no more. Calls have a table of their own in `alerts.call`.
"""

from collections.abc import Mapping

from alerts.contract import AlertStatus, AlertV1, CaseRef, CaseStatus, CaseUpdateV1, Change
from alerts.revision import revise

_A, _U, _C = AlertStatus, CaseStatus, Change

# fmt: off
TABLE: Mapping[tuple[AlertStatus, CaseStatus], tuple[AlertStatus, Change]] = {
    # status           update            next status        change
    (_A.OPEN,          _U.ACCEPTED):    (_A.ACKNOWLEDGED,   _C.ACKNOWLEDGED),
    (_A.OPEN,          _U.ASSIGNED):    (_A.DISPATCHED,     _C.DISPATCHED),
    (_A.OPEN,          _U.RESOLVED):    (_A.RESOLVED,       _C.RESOLVED),
    (_A.OPEN,          _U.REJECTED):    (_A.CLOSED,         _C.CLOSED),

    (_A.ACKNOWLEDGED,  _U.ACCEPTED):    (_A.ACKNOWLEDGED,   _C.UPDATED),  # somebody else took it over
    (_A.ACKNOWLEDGED,  _U.ASSIGNED):    (_A.DISPATCHED,     _C.DISPATCHED),
    (_A.ACKNOWLEDGED,  _U.RESOLVED):    (_A.RESOLVED,       _C.RESOLVED),
    (_A.ACKNOWLEDGED,  _U.REJECTED):    (_A.CLOSED,         _C.CLOSED),

    (_A.DISPATCHED,    _U.ASSIGNED):    (_A.DISPATCHED,     _C.UPDATED),  # somebody else goes
    (_A.DISPATCHED,    _U.RESOLVED):    (_A.RESOLVED,       _C.RESOLVED),
    (_A.DISPATCHED,    _U.REJECTED):    (_A.CLOSED,         _C.CLOSED),
}
# fmt: on


def case_of(update: CaseUpdateV1) -> CaseRef:
    """What an alert keeps of an update."""
    return CaseRef(status=update.status, at=update.at, by=update.by, note=update.note, case_id=update.case_id)


def advance(alert: AlertV1, update: CaseUpdateV1, now_ns: int) -> AlertV1 | None:
    """The alert's next revision, not stored yet; None when the update is out of order."""
    row = TABLE.get((alert.status, update.status))
    if row is None:
        return None
    status, change = row
    return revise(alert, change, now_ns, status=status, case=case_of(update))
