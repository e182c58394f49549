"""Options that the alert commands share, and what they read from them. Pure; raises InvalidInputError."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from alerts.contract import AlertKind, AlertStatus, AlertV1
from alerts.store import AlertFilter
from devices.model import Severity
from runtime.clock import NS_PER_S, to_ns
from runtime.errors import InvalidInputError
from runtime.language import say

Status = Annotated[AlertStatus | None, typer.Option(help=say(zh="只看此状态", en="Only this status"))]
Kind = Annotated[AlertKind | None, typer.Option(help=say(zh="只看此类告警", en="Only this kind"))]
SeverityOption = Annotated[
    Severity | None, typer.Option("--severity", help=say(zh="只看此级别", en="Only this severity"))
]
Device = Annotated[str | None, typer.Option(metavar="ID", help=say(zh="只看此设备", en="Only this device"))]
Site = Annotated[
    str | None, typer.Option(metavar="ID", help=say(zh="只看此站点及其下级", en="Only this site and all below it"))
]
TextOption = Annotated[
    str | None, typer.Option("--text", help=say(zh="只看含有这段文字的", en="Only what contains this text"))
]
AlertIdArgument = Annotated[
    str,
    typer.Argument(
        metavar="ALERT", help=say(zh="告警编号，或足以区分的开头几位", en="Alert id, or enough of its start")
    ),
]

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"(\d{1,6})([smhd])")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters that listing and watching share."""

    status: AlertStatus | None = None
    kind: AlertKind | None = None
    severity: Severity | None = None
    device: str | None = None
    site: str | None = None
    text: str | None = None

    def matches(self, alert: AlertV1) -> bool:
        """Whether a revision that just came is to be shown."""
        words = f"{alert.summary.zh}\n{alert.summary.en}\n{alert.device_name}".lower()
        return (
            self.status in {None, alert.status}
            and self.kind in {None, alert.kind}
            and self.severity in {None, alert.severity}
            and self.device in {None, alert.device_id}
            and (self.site is None or any(site.site_id == self.site for site in alert.sites))
            and (self.text is None or self.text.lower() in words)
        )

    def stored(self, since_ns: int | None, until_ns: int | None) -> AlertFilter:
        """The same for the alert store."""
        return AlertFilter(
            status=self.status,
            kind=self.kind,
            severity=self.severity,
            device_id=self.device,
            site_id=self.site,
            text=self.text,
            since_ns=since_ns,
            until_ns=until_ns,
        )


def read_moment(text: str | None, option: str, now_ns: int) -> int | None:
    """ "30m", "2h", "1d" ago, or a date with or without time (local unless it says), in UTC nanoseconds."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        return now_ns - int(ago[1]) * _UNITS_S[ago[2]] * NS_PER_S
    try:
        return to_ns(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError, OSError):
        raise InvalidInputError(
            say(
                zh=f"{option}: 看不懂 {text!r}；可写 30m、2h、1d，或 2026-05-01、2026-05-01T08:00",
                en=f"{option}: cannot read {text!r}; write 30m, 2h, 1d, or 2026-05-01, 2026-05-01T08:00",
            )
        ) from None
