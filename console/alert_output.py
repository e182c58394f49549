"""How alerts look on a terminal: one line, a table, or everything about one. Prints on standard output."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from alerts.contract import AlertStatus, AlertV1, CallStep, CaseStatus, Change, ClipState, Text
from alerts.wording import KINDS
from devices.model import Severity
from runtime.language import LANGUAGE, say

SHOWN_ID_CHARS = 14
"""The time in milliseconds and four random characters: enough to type, and to tell alerts apart."""

STATUSES: Mapping[AlertStatus, str] = {
    AlertStatus.OPEN: say(zh="待处理", en="open"),
    AlertStatus.ACKNOWLEDGED: say(zh="已受理", en="acknowledged"),
    AlertStatus.DISPATCHED: say(zh="已派人", en="dispatched"),
    AlertStatus.RESOLVED: say(zh="已处置", en="resolved"),
    AlertStatus.CLOSED: say(zh="已关闭", en="closed"),
}
CHANGES: Mapping[Change, str] = {
    Change.OPENED: say(zh="新告警", en="opened"),
    Change.UPDATED: say(zh="有更新", en="updated"),
    Change.ACKNOWLEDGED: say(zh="已受理", en="acknowledged"),
    Change.DISPATCHED: say(zh="已派人", en="dispatched"),
    Change.RESOLVED: say(zh="已处置", en="resolved"),
    Change.CLOSED: say(zh="已关闭", en="closed"),
}
SEVERITIES: Mapping[Severity, str] = {
    Severity.INFO: say(zh="提示", en="info"),
    Severity.WARNING: say(zh="警告", en="warning"),
    Severity.CRITICAL: say(zh="紧急", en="critical"),
}
STEPS: Mapping[CallStep, str] = {
    CallStep.OPEN: say(zh="已按键", en="pressed"),
    CallStep.RINGING: say(zh="振铃中", en="ringing"),
    CallStep.ANSWERED: say(zh="已接听", en="answered"),
    CallStep.DISPATCHED: say(zh="已派人", en="someone is on the way"),
    CallStep.RATING: say(zh="等待评价", en="waiting for a rating"),
    CallStep.CLOSED: say(zh="已结束", en="ended"),
}
CASES: Mapping[CaseStatus, str] = {
    CaseStatus.ACCEPTED: say(zh="受理", en="accepted"),
    CaseStatus.ASSIGNED: say(zh="派人", en="assigned"),
    CaseStatus.RESOLVED: say(zh="处置完毕", en="resolved"),
    CaseStatus.REJECTED: say(zh="退回", en="rejected"),
}
CLIPS: Mapping[ClipState, str] = {
    ClipState.NONE: "-",
    ClipState.PENDING: say(zh="录制中", en="being recorded"),
    ClipState.READY: say(zh="就绪", en="ready"),
    ClipState.LOST: say(zh="丢失", en="lost"),
}
_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def words(text: Text) -> str:
    """A text in the language of this process."""
    return text.zh if LANGUAGE == "zh" else text.en


def line(alert: AlertV1) -> RichText:
    """One revision on one line: when, how severe, which, what happened, what the alert says, its clip."""
    shown = RichText()
    shown.append(alert.updated_at.astimezone().strftime("%H:%M:%S  "), style="dim")
    shown.append(SEVERITIES[alert.severity], style=_STYLES[alert.severity])
    shown.append(f"  {alert.alert_id[:SHOWN_ID_CHARS]}  ")
    shown.append(f"#{alert.revision} {CHANGES[alert.change]}  ")
    shown.append(printable(words(alert.summary)))
    if alert.clip is not None and alert.clip_state is ClipState.READY:
        shown.append(f"  {alert.clip.key}", style="dim")
    return shown


def table(alerts: Sequence[AlertV1]) -> Table:
    """Alerts, one a row."""
    made = Table(box=None, pad_edge=False)
    for heading in (
        say(zh="编号", en="Id"),
        say(zh="时间", en="Opened"),
        say(zh="级别", en="Severity"),
        say(zh="状态", en="Status"),
        say(zh="内容", en="What"),
    ):
        made.add_column(heading, overflow="fold")
    for alert in alerts:
        made.add_row(
            alert.alert_id[:SHOWN_ID_CHARS],
            alert.opened_at.astimezone().strftime("%m-%d %H:%M:%S"),
            RichText(SEVERITIES[alert.severity], style=_STYLES[alert.severity]),
            STATUSES[alert.status],
            RichText(printable(words(alert.summary))),
        )
    return made


def details(alert: AlertV1, history: Sequence[AlertV1]) -> Table:
    """Everything about one alert, and what happened to it."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(overflow="fold")
    made.add_column(overflow="fold")
    for name, value in _fields(alert):
        made.add_row(RichText(name, style="dim"), RichText(printable(value)))
    for past in history:
        made.add_row(RichText(f"#{past.revision}", style="dim"), line(past))
    return made


def _fields(alert: AlertV1) -> list[tuple[str, str]]:
    fields = [
        (say(zh="编号", en="Id"), alert.alert_id),
        (say(zh="内容", en="What"), words(alert.summary)),
        (say(zh="类别", en="Kind"), words(KINDS[alert.kind])),
        (say(zh="级别", en="Severity"), SEVERITIES[alert.severity]),
        (say(zh="状态", en="Status"), STATUSES[alert.status]),
        (say(zh="设备", en="Device"), f"{alert.device_name} ({alert.device_id})"),
        (say(zh="地点", en="Where"), " / ".join(site.name for site in alert.sites)),
        (say(zh="发生时间", en="Opened"), alert.opened_at.astimezone().isoformat(" ", "seconds")),
    ]
    if alert.call is not None:
        fields.append((say(zh="呼叫", en="Call"), STEPS[alert.call.step]))
    if alert.case is not None:
        case = " ".join(filter(None, (CASES[alert.case.status], alert.case.by, alert.case.note)))
        fields.append((say(zh="处置", en="Case"), case))
    if alert.snapshot is not None:
        fields.append((say(zh="截图", en="Snapshot"), alert.snapshot.key))
    if alert.clip_state is not ClipState.NONE:
        key = f" {alert.clip.key}" if alert.clip else ""
        fields.append((say(zh="片段", en="Clip"), CLIPS[alert.clip_state] + key))
    return fields


def printable(text: str) -> str:
    """`text` without control characters: what came from outside must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def standard_output() -> Console:
    """Where alerts are printed; texts are never taken for rich's markup."""
    return Console(markup=False, highlight=False, soft_wrap=True)
