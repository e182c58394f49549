"""How alerts look on a terminal: one line, a table, or everything about one. Prints on standard output."""

from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from alerts.contract import AlertStatus, AlertV1, CaseStatus, ClipState, Text
from alerts.wording import KINDS
from console.alert_changes import STEPS, what_changed
from devices.model import Severity
from runtime.language import LANGUAGE, say

SHOWN_ID_CHARS = 14
"""The time in milliseconds and four random characters: enough to type, and to tell alerts apart."""

LINE_COLUMNS = 100
"""A line that wraps is hard to follow while others come; `alerts show` and --json have the whole text."""

STATUSES: Mapping[AlertStatus, str] = {
    AlertStatus.OPEN: say(zh="待处理", en="open"),
    AlertStatus.ACKNOWLEDGED: say(zh="已受理", en="acknowledged"),
    AlertStatus.DISPATCHED: say(zh="已派人", en="dispatched"),
    AlertStatus.RESOLVED: say(zh="已处置", en="resolved"),
    AlertStatus.CLOSED: say(zh="已关闭", en="closed"),
}
SEVERITIES: Mapping[Severity, str] = {
    Severity.INFO: say(zh="提示", en="info"),
    Severity.WARNING: say(zh="警告", en="warning"),
    Severity.CRITICAL: say(zh="紧急", en="critical"),
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


def line(alert: AlertV1, before: AlertV1 | None = None) -> RichText:
    """One revision on one line of at most LINE_COLUMNS: when, how severe, which, what it changed, what it says."""
    shown = RichText()
    shown.append(alert.updated_at.astimezone().strftime("%H:%M:%S  "), style="dim")
    shown.append(SEVERITIES[alert.severity], style=_STYLES[alert.severity])
    shown.append(f"  {alert.alert_id[:SHOWN_ID_CHARS]}  ")
    shown.append(f"#{alert.revision} {what_changed(alert, before)}  ")
    shown.append(printable(words(alert.summary)))
    shown.truncate(LINE_COLUMNS, overflow="ellipsis")
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


def details(alert: AlertV1, history: Sequence[AlertV1], place_of: Callable[[str], str]) -> Table:
    """Everything about one alert, and what happened to it; `place_of` says where the object of a key is."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(overflow="fold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in _fields(alert, place_of):
        made.add_row(RichText(name, style="dim"), RichText(printable(value)))
    before: AlertV1 | None = None
    for past in history:
        made.add_row(RichText(f"#{past.revision}", style="dim"), RichText(_happened(past, before)))
        before = past
    return made


def _happened(alert: AlertV1, before: AlertV1 | None) -> str:
    """When and what; the sentence only where it is not the one above."""
    moment = alert.updated_at.astimezone().strftime("%m-%d %H:%M:%S")
    is_new = before is None or before.summary != alert.summary
    said = f"  {printable(words(alert.summary))}" if is_new else ""
    return f"{moment}  {what_changed(alert, before)}{said}"


def _fields(alert: AlertV1, place_of: Callable[[str], str]) -> list[tuple[str, str]]:
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
        fields.append((say(zh="截图", en="Snapshot"), place_of(alert.snapshot.key)))
    if alert.clip_state is not ClipState.NONE:
        key = f" {place_of(alert.clip.key)}" if alert.clip else ""
        fields.append((say(zh="片段", en="Clip"), CLIPS[alert.clip_state] + key))
    return fields


def printable(text: str) -> str:
    """`text` without control characters: what came from outside must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def standard_output() -> Console:
    """Where alerts are printed; texts are never taken for rich's markup."""
    return Console(markup=False, highlight=False, soft_wrap=True)
