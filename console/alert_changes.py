"""What one revision of an alert changed, in a few words: "clip ready", "escalated", "someone is on the way". Pure."""

from collections.abc import Mapping

from alerts.contract import AlertV1, CallDetail, CallStep, CaseStatus, Change, ClipState
from runtime.language import say

CHANGES: Mapping[Change, str] = {
    Change.OPENED: say(zh="新告警", en="opened"),
    Change.UPDATED: say(zh="有更新", en="updated"),
    Change.ACKNOWLEDGED: say(zh="已受理", en="acknowledged"),
    Change.DISPATCHED: say(zh="已派人", en="dispatched"),
    Change.RESOLVED: say(zh="已处置", en="resolved"),
    Change.CLOSED: say(zh="已关闭", en="closed"),
}
STEPS: Mapping[CallStep, str] = {
    CallStep.OPEN: say(zh="已按键", en="pressed"),
    CallStep.RINGING: say(zh="正在呼叫", en="ringing"),
    CallStep.ANSWERED: say(zh="已接听", en="answered"),
    CallStep.DISPATCHED: say(zh="已派人", en="someone is on the way"),
    CallStep.RATING: say(zh="等待评价", en="waiting for a rating"),
    CallStep.CLOSED: say(zh="已结束", en="ended"),
}
_CLIPS: Mapping[ClipState, str] = {
    ClipState.PENDING: say(zh="正在录制片段", en="clip being recorded"),
    ClipState.READY: say(zh="片段已就绪", en="clip ready"),
    ClipState.LOST: say(zh="片段已丢失", en="clip lost"),
}
_AGAIN: Mapping[CaseStatus, str] = {
    CaseStatus.ACCEPTED: say(zh="已由他人接手", en="taken over"),
    CaseStatus.ASSIGNED: say(zh="另派了人", en="someone else goes"),
    CaseStatus.RESOLVED: say(zh="已处置", en="resolved"),
    CaseStatus.REJECTED: say(zh="已退回", en="rejected"),
}
_ESCALATED = say(zh="已上报上一级", en="escalated")
_SNAPSHOT = say(zh="截图已就绪", en="snapshot ready")
_OVER = say(zh="情况已结束", en="over")


def what_changed(alert: AlertV1, before: AlertV1 | None) -> str:
    """The change against the revision `before`; without one, what the alert itself lets conclude."""
    if alert.change is not Change.UPDATED:
        return CHANGES[alert.change]
    if before is None:
        return _likely(alert)
    if alert.call is not None and before.call is not None and alert.call != before.call:
        return _of_call(alert.call, before.call)
    if alert.clip_state is not before.clip_state and alert.clip_state in _CLIPS:
        return _CLIPS[alert.clip_state]
    if alert.case is not None and alert.case != before.case:
        return _AGAIN[alert.case.status]
    if alert.snapshot is not None and before.snapshot is None:
        return _SNAPSHOT
    if alert.observation is not None and before.observation is not None:
        is_over = alert.observation.ended_at is not None and before.observation.ended_at is None
        return _OVER if is_over else CHANGES[Change.UPDATED]
    return CHANGES[Change.UPDATED]


def _of_call(call: CallDetail, before: CallDetail) -> str:
    if call.escalations > before.escalations:
        return _ESCALATED
    return STEPS[call.step] if call.step is not before.step else CHANGES[Change.UPDATED]


def _likely(alert: AlertV1) -> str:
    """Whoever begins to watch in the middle has no revision before; the last thing that is known to happen is named."""
    if alert.call is not None:
        is_escalation = alert.call.step is CallStep.RINGING and alert.call.escalations > 0
        return _ESCALATED if is_escalation else STEPS[alert.call.step]
    return _CLIPS.get(alert.clip_state, CHANGES[Change.UPDATED])
