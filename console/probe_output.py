"""A probe's report in words, for a terminal, and as plain values, for a script."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from ingest.probe import Login, ProbeReport
from runtime.language import say

LONG_KEY_INTERVAL_S = 4.0
LOW_FPS = 5.0

_LOGIN_WORDS = {
    Login.NOT_NEEDED: say(zh="不需要", en="none needed"),
    Login.ACCEPTED: say(zh="已通过", en="accepted"),
    Login.MISSING: say(zh="需要用户名和密码", en="needed, but none given"),
    Login.REFUSED: say(zh="被拒绝", en="refused"),
    Login.UNKNOWN: say(zh="未到这一步", en="not got that far"),
}


def as_document(report: ProbeReport, picture: Path | None) -> dict[str, object]:
    """The report as plain values; figures that could not be measured are None."""
    info, problem = report.info, report.problem
    return {
        "reached": report.reached,
        "login": report.login.value,
        "codec": info.codec.name.lower() if info else None,
        "width_px": info.width_px if info else None,
        "height_px": info.height_px if info else None,
        "fps": _rounded(report.fps, 2),
        "key_interval_s": _rounded(report.key_interval_s, 2),
        "bit_rate_bps": _rounded(report.bit_rate_bps, 0),
        "picture": str(picture) if picture and report.picture else None,
        "problem": problem.code.value if problem else None,
        "what": {"zh": problem.what.zh, "en": problem.what.en} if problem else None,
        "check_next": {"zh": problem.check_next.zh, "en": problem.check_next.en} if problem else None,
        "took_s": round(report.took_s, 2),
    }


def _rounded(figure: float | None, digits: int) -> float | None:
    return None if figure is None else round(figure, digits)


def print_report(report: ProbeReport, picture: Path | None) -> None:
    """What was found, then what to check or what could be better."""
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _rows(report):
        table.add_row(name, value)
    console.print(table)
    problem = report.problem
    if problem is None:
        console.print(say(zh="[green]正常：[/green]画面已收到。", en="[green]Works:[/green] a picture came through."))
        for advice in _advice(report):
            console.print(f"[yellow]![/yellow] {advice}", soft_wrap=True)
    else:
        what, check = problem.what, problem.check_next
        console.print(f"[red]✗[/red] {say(zh=what.zh, en=what.en)}", soft_wrap=True)
        console.print(say(zh=f"  请检查：{check.zh}", en=f"  Next: {check.en}"), soft_wrap=True)
    if picture is not None and report.picture is not None:
        console.print(say(zh=f"画面已保存到 {picture}", en=f"Picture saved as {picture}"), soft_wrap=True)


def _rows(report: ProbeReport) -> list[tuple[str, str]]:
    info = report.info
    rows = [
        (say(zh="连接", en="Reached"), say(zh="是", en="yes") if report.reached else say(zh="否", en="no")),
        (say(zh="登录", en="Login"), _LOGIN_WORDS[report.login]),
    ]
    if info is not None:
        rows += [
            (say(zh="编码", en="Codec"), {"H264": "H.264", "H265": "H.265"}.get(info.codec.name, info.codec.name)),
            (say(zh="画面", en="Size"), f"{info.width_px} x {info.height_px}"),
        ]
    if report.fps is not None:
        rows.append(
            (say(zh="帧率", en="Rate"), say(zh=f"{report.fps:.1f} 帧/秒", en=f"{report.fps:.1f} pictures a second"))
        )
        rows.append((say(zh="关键帧间隔", en="Key frame every"), _key_interval(report)))
    if report.bit_rate_bps is not None:
        rows.append((say(zh="码率", en="Bit rate"), f"{report.bit_rate_bps / 1e6:.2f} Mbit/s"))
    return rows


def _key_interval(report: ProbeReport) -> str:
    if report.key_interval_s is not None:
        return say(zh=f"{report.key_interval_s:.1f} 秒", en=f"{report.key_interval_s:.1f} s")
    return say(zh=f"超过 {report.watched_s:.0f} 秒", en=f"more than {report.watched_s:.0f} s")


def _advice(report: ProbeReport) -> list[str]:
    """What works but could be better."""
    found = []
    if (report.key_interval_s or report.watched_s) > LONG_KEY_INTERVAL_S or (
        report.key_interval_s is None and report.watched_s > LONG_KEY_INTERVAL_S / 2
    ):
        found.append(
            say(
                zh="关键帧间隔较长，会推迟发现和片段开头。建议在摄像头上设为 2 秒",
                en="Key frames are far apart, which delays detection and the start of clips. Set 2 s on the camera",
            )
        )
    if report.fps is not None and report.fps < LOW_FPS:
        found.append(
            say(
                zh="帧率低于每秒 5 帧，行人可能跟丢。建议设为 15 至 25",
                en="Below 5 pictures a second people may be lost in tracking. Set 15 to 25",
            )
        )
    return found
