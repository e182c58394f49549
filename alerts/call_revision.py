"""From a call and a stimulus to its next revision and what its box hears, by the table of `alerts.call`. Pure."""

from dataclasses import dataclass

import msgspec

from alerts import wording
from alerts.call import STATUS_OF_STEP, BoxStep, Move, Stimulus, move_of
from alerts.contract import (
    AlertKind,
    AlertStatus,
    AlertV1,
    CallDetail,
    CallStep,
    CaseRef,
    Change,
    Rating,
    SiteRef,
    Text,
)
from alerts.places import Place
from alerts.revision import new_alert_id, revise
from devices.model import Severity
from runtime.clock import utc


@dataclass(frozen=True, slots=True)
class CallMoved:
    """A call as it stands now and what its box is to be told."""

    alert: AlertV1
    tell: BoxStep | None


def open_call(place: Place, owner: str, now_ns: int) -> AlertV1:
    """Revision 1 of a call: the device's own site is rung first."""
    now = utc(now_ns)
    site = place.sites[-1]
    return AlertV1(
        alert_id=new_alert_id(now_ns),
        revision=1,
        change=Change.OPENED,
        status=AlertStatus.OPEN,
        kind=AlertKind.CALL,
        severity=Severity.CRITICAL,
        device_id=place.device_id,
        device_kind=place.device_kind,
        device_name=place.name,
        sites=place.sites,
        owner=owner,
        summary=wording.call(place.name, CallStep.OPEN, site.name),
        opened_at=now,
        updated_at=now,
        call=CallDetail(step=CallStep.OPEN, site_id=site.site_id, since=now),
    )


def advance(alert: AlertV1, stimulus: Stimulus, now_ns: int, case: CaseRef | None = None) -> CallMoved | None:
    """The call's next revision after `stimulus`, not stored yet.

    None when the table has no row for it, and for an escalation beyond the root.
    """
    detail = _detail(alert)
    move = move_of(detail.step, stimulus)
    if move is None:
        return None
    if stimulus is Stimulus.ESCALATION_TIMEOUT:
        above = _site_above(alert, detail.site_id)
        if above is None:
            return None
        detail = msgspec.structs.replace(
            detail, site_id=above.site_id, escalations=detail.escalations + 1, since=utc(now_ns)
        )
    detail = _moved(detail, move, stimulus, now_ns)
    revised = revise(
        alert,
        move.change,
        now_ns,
        status=STATUS_OF_STEP[move.step],
        call=detail,
        case=case or alert.case,
        summary=_summary(alert, detail),
    )
    return CallMoved(revised, move.tell)


def _moved(detail: CallDetail, move: Move, stimulus: Stimulus, now_ns: int) -> CallDetail:
    ratings = {Stimulus.THUMB_UP: Rating.UP, Stimulus.THUMB_DOWN: Rating.DOWN}
    since = detail.since if detail.step is move.step else utc(now_ns)
    return msgspec.structs.replace(
        detail, step=move.step, since=since, outcome=move.outcome, rating=ratings.get(stimulus)
    )


def _summary(alert: AlertV1, detail: CallDetail) -> Text:
    if detail.outcome is not None:
        return wording.call_closed(alert.device_name, detail.outcome, detail.rating)
    site_name = next((site.name for site in alert.sites if site.site_id == detail.site_id), detail.site_id)
    return wording.call(alert.device_name, detail.step, site_name)


def _site_above(alert: AlertV1, site_id: str) -> SiteRef | None:
    ids = [site.site_id for site in alert.sites]
    at = ids.index(site_id) if site_id in ids else 0
    return alert.sites[at - 1] if at > 0 else None


def step_of(alert: AlertV1) -> CallStep:
    """The step of a call."""
    return _detail(alert).step


def _detail(alert: AlertV1) -> CallDetail:
    if alert.call is None:
        raise ValueError(f"alert {alert.alert_id} is not a call")
    return alert.call
