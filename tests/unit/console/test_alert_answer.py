"""What `alerts answer` shows after its answer is on the bus: it waits a bounded time for what the answer did."""

import time
from collections.abc import Sequence
from typing import cast

import pytest

from alerts.contract import AlertV1, CaseRef, CaseStatus, CaseUpdateV1, Change
from alerts.revision import revise
from alerts.store import AlertStore
from console.alerts_commands import POLL_S, SHOWN_EFFECT_S, _effect
from runtime.clock import NS_PER_S, utc
from runtime.errors import UnavailableError
from tests.unit.alerts.examples import T0_NS, camera_alert

ALERT = camera_alert()
ANSWER = CaseUpdateV1(
    update_id="1", alert_id=ALERT.alert_id, status=CaseStatus.ACCEPTED, at=utc(T0_NS + NS_PER_S), by="王芳"
)


class Store:
    """Gives what was planned for each reading; the last for ever. Time passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *planned: Sequence[AlertV1] | UnavailableError) -> None:
        self.planned = list(planned)
        self.now_s = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def history(self, alert_id: str) -> Sequence[AlertV1]:
        found = self.planned.pop(0) if len(self.planned) > 1 else self.planned[0]
        if isinstance(found, UnavailableError):
            raise found
        return found

    def effect(self) -> AlertV1 | None:
        return _effect(cast(AlertStore, self), ANSWER)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds


def answered(update: CaseUpdateV1) -> AlertV1:
    case = CaseRef(case_id=update.case_id, status=update.status, by=update.by, note=update.note, at=update.at)
    return revise(ALERT, Change.ACKNOWLEDGED, T0_NS + 2 * NS_PER_S, case=case)


def test_the_revision_that_the_answer_made_is_shown_as_soon_as_the_store_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = answered(ANSWER)
    store = Store(monkeypatch, [ALERT], [ALERT, made])
    assert store.effect() is made
    assert store.now_s == POLL_S


def test_a_store_that_is_away_while_the_effect_is_awaited_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answered(ANSWER)
    assert Store(monkeypatch, UnavailableError("away"), [made]).effect() is made


def test_an_owner_that_is_down_is_waited_for_ten_seconds_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch, [ALERT])
    assert store.effect() is None
    assert SHOWN_EFFECT_S <= store.now_s <= SHOWN_EFFECT_S + POLL_S
