"""What case updates do to alerts that are not calls."""

from hypothesis import given
from hypothesis import strategies as st

from alerts.contract import AlertStatus, CaseStatus, CaseUpdateV1, Change
from alerts.lifecycle import TABLE, advance
from runtime.clock import utc
from tests.unit.alerts.examples import T0_NS, camera_alert

ORDER = [AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED, AlertStatus.DISPATCHED, AlertStatus.RESOLVED, AlertStatus.CLOSED]


def update(status: CaseStatus) -> CaseUpdateV1:
    return CaseUpdateV1(
        update_id=f"u-{status}", alert_id="0" * 26, status=status, at=utc(T0_NS), by="王芳", note="在路上", case_id="7"
    )


def test_an_update_makes_a_revision_that_carries_the_case() -> None:
    alert = camera_alert()
    revised = advance(alert, update(CaseStatus.ACCEPTED), T0_NS)
    assert revised is not None
    assert (revised.revision, revised.status, revised.change) == (2, AlertStatus.ACKNOWLEDGED, Change.ACKNOWLEDGED)
    assert revised.case is not None
    assert (revised.case.by, revised.case.note, revised.case.case_id) == ("王芳", "在路上", "7")


def test_skipping_forward_is_allowed_and_going_back_is_not() -> None:
    assert advance(camera_alert(), update(CaseStatus.RESOLVED), T0_NS) is not None
    assert advance(camera_alert(), update(CaseStatus.ASSIGNED), T0_NS) is not None
    dispatched = camera_alert(status=AlertStatus.DISPATCHED)
    assert advance(dispatched, update(CaseStatus.ACCEPTED), T0_NS) is None


def test_a_rejected_alert_is_closed() -> None:
    revised = advance(camera_alert(), update(CaseStatus.REJECTED), T0_NS)
    assert revised is not None
    assert (revised.status, revised.closed_at) == (AlertStatus.CLOSED, utc(T0_NS))


def test_the_table_never_goes_back_and_ends_at_resolved_and_closed() -> None:
    for (status, _), (after, _) in TABLE.items():
        assert ORDER.index(after) >= ORDER.index(status)
        assert status not in {AlertStatus.RESOLVED, AlertStatus.CLOSED}


@given(st.lists(st.sampled_from(CaseStatus)))
def test_from_any_sequence_of_updates_revisions_rise_one_by_one(statuses: list[CaseStatus]) -> None:
    alert = camera_alert()
    applied = 0
    for status in statuses:
        revised = advance(alert, update(status), T0_NS)
        if revised is not None:
            applied += 1
            alert = revised
    assert alert.revision == 1 + applied
