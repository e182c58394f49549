"""The state machine of a call: the table itself, and what holds after any sequence of stimuli."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.call import BOX_HEARS, STATUS_OF_STEP, STIMULUS_OF_CASE, TABLE, Stimulus
from alerts.call_revision import advance, open_call, step_of
from alerts.contract import AlertStatus, AlertV1, CallOutcome, CallStep, CaseRef, CaseStatus, Change, Rating
from runtime.clock import NS_PER_S, utc
from tests.unit.alerts.examples import SITES, T0_NS, box_place

CASE = CaseRef(status=CaseStatus.ACCEPTED, at=utc(T0_NS))
ANSWERS = {CallStep.ANSWERED, CallStep.DISPATCHED}


def after(*stimuli: Stimulus) -> AlertV1:
    """A call that went through `stimuli`, one second each; every one of them must have a row in the table."""
    call = open_call(box_place(), "bridge", T0_NS)
    for count, stimulus in enumerate(stimuli, 1):
        moved = advance(call, stimulus, T0_NS + count * NS_PER_S)
        assert moved is not None, f"{stimulus} does nothing in {step_of(call)}"
        call = moved.alert
    return call


def test_a_green_key_opens_a_call_that_rings_its_own_site() -> None:
    call = after()
    assert call.call is not None
    assert (call.revision, call.change, call.status) == (1, Change.OPENED, AlertStatus.OPEN)
    assert (call.call.step, call.call.site_id, call.call.escalations) == (CallStep.OPEN, "village", 0)
    assert call.sites == SITES


def test_the_whole_way_of_a_call_is_one_revision_a_step() -> None:
    way = [Stimulus.PUBLISHED, Stimulus.ACCEPTED, Stimulus.ASSIGNED, Stimulus.RESOLVED, Stimulus.THUMB_UP]
    steps = [step_of(after(*way[:count])) for count in range(len(way) + 1)]
    assert steps == [
        CallStep.OPEN,
        CallStep.RINGING,
        CallStep.ANSWERED,
        CallStep.DISPATCHED,
        CallStep.RATING,
        CallStep.CLOSED,
    ]
    closed = after(*way)
    assert closed.call is not None
    assert (closed.revision, closed.status, closed.change) == (6, AlertStatus.CLOSED, Change.CLOSED)
    assert (closed.call.outcome, closed.call.rating) == (CallOutcome.RATED, Rating.UP)
    assert closed.closed_at == utc(T0_NS + 5 * NS_PER_S)


def test_an_unanswered_call_goes_up_level_by_level_and_stays_at_the_root() -> None:
    call = after(Stimulus.PUBLISHED, Stimulus.ESCALATION_TIMEOUT, Stimulus.ESCALATION_TIMEOUT)
    assert call.call is not None
    assert (call.call.site_id, call.call.escalations, call.change) == ("county", 2, Change.UPDATED)
    assert "青山县" in call.summary.zh
    assert advance(call, Stimulus.ESCALATION_TIMEOUT, T0_NS) is None


def test_hanging_up_before_an_answer_abandons_the_call() -> None:
    for way in ([], [Stimulus.PUBLISHED]):
        call = after(*way, Stimulus.HANGUP_KEY)
        assert call.call is not None
        assert (call.status, call.call.outcome) == (AlertStatus.CLOSED, CallOutcome.ABANDONED)


def test_hanging_up_after_the_answer_asks_for_a_rating() -> None:
    assert step_of(after(Stimulus.PUBLISHED, Stimulus.ACCEPTED, Stimulus.HANGUP_KEY)) is CallStep.RATING
    assert step_of(after(Stimulus.PUBLISHED, Stimulus.ASSIGNED, Stimulus.HANGUP_KEY)) is CallStep.RATING


def test_help_that_is_sent_after_hanging_up_reaches_the_box_without_reopening_the_call() -> None:
    call = after(Stimulus.PUBLISHED, Stimulus.ACCEPTED, Stimulus.HANGUP_KEY)
    moved = advance(call, Stimulus.ASSIGNED, T0_NS + NS_PER_S, CASE)
    assert moved is not None
    assert (moved.tell, step_of(moved.alert), moved.alert.case) == ("assigned", CallStep.RATING, CASE)
    assert moved.alert.call is not None
    assert call.call is not None
    assert moved.alert.call.since == call.call.since, "the time for the rating runs on"


def test_every_step_has_a_status_and_what_the_box_hears() -> None:
    assert set(STATUS_OF_STEP) == set(BOX_HEARS) == set(CallStep)
    assert set(STIMULUS_OF_CASE) == set(CaseStatus)


def test_no_row_leads_out_of_closed_or_back_to_open() -> None:
    for (step, _), move in TABLE.items():
        assert step is not CallStep.CLOSED
        assert move.step is not CallStep.OPEN or step is None
        assert (move.outcome is not None) == (move.step is CallStep.CLOSED)
        assert (move.change is Change.CLOSED) == (move.step is CallStep.CLOSED)


@pytest.mark.parametrize("step", [step for step in CallStep if step is not CallStep.CLOSED])
def test_every_open_step_can_be_ended_by_the_case_system(step: CallStep) -> None:
    assert (step, Stimulus.REJECTED) in TABLE


@given(st.lists(st.tuples(st.sampled_from(Stimulus), st.integers(-5 * NS_PER_S, 60 * NS_PER_S))))
def test_from_any_sequence_revisions_rise_times_do_not_fall_and_closed_stays(
    stimuli: list[tuple[Stimulus, int]],
) -> None:
    call = open_call(box_place(), "bridge", T0_NS)
    now_ns = T0_NS
    for stimulus, passed_ns in stimuli:
        now_ns += passed_ns
        moved = advance(call, stimulus, now_ns, CASE)
        if moved is None:
            continue
        assert step_of(call) is not CallStep.CLOSED
        assert moved.alert.revision == call.revision + 1
        assert moved.alert.updated_at >= call.updated_at
        assert moved.alert.alert_id == call.alert_id
        assert moved.alert.status is STATUS_OF_STEP[step_of(moved.alert)]
        assert msgspec.json.decode(msgspec.json.encode(moved.alert), type=AlertV1) == moved.alert
        call = moved.alert
    assert (call.closed_at is not None) == (step_of(call) is CallStep.CLOSED)
