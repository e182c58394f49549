"""`sharpeyes probe URL` and `sharpeyes camera probe ID`: does this camera work, and if not, what to check next.

Exit code 0 when a picture came, 1 when not, so that scripts can ask as well.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from console.registry_context import command_registry
from devices.login import split_login
from devices.model import Credentials, Secret, Transport
from ingest.probe import Login, ProbeReport, probe
from runtime.errors import ConfigurationError
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

PictureOption = Annotated[
    Path | None, typer.Option("--picture", help=say(zh="把画面保存为 JPEG 文件", en="Save the picture as a JPEG file"))
]
JsonOption = Annotated[bool, typer.Option("--json", help=say(zh="输出 JSON", en="Print JSON"))]
TransportOption = Annotated[Transport, typer.Option(help=say(zh="传输方式", en="Transport"))]


def probe_url(
    url: Annotated[str, typer.Argument(help="rtsp://[USER:PASSWORD@]HOST[:PORT]/PATH")],
    transport: TransportOption = Transport.TCP,
    username: Annotated[str | None, typer.Option(help=say(zh="用户名", en="User name"))] = None,
    picture: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    plain, credentials = split_login(url)
    if username is not None:
        password = typer.prompt(say(zh="密码", en="Password"), hide_input=True, err=True)
        credentials = Credentials(username, Secret(password))
    _show_and_exit(probe(plain, credentials, transport), picture, as_json=as_json)


def probe_camera(
    context: typer.Context,
    camera: Annotated[
        str, typer.Argument(help=say(zh="摄像头编号，或 rtsp:// 地址", en="A camera's id, or an rtsp:// URL"))
    ],
    sub: Annotated[bool, typer.Option("--sub", help=say(zh="检查子码流", en="Probe the sub-stream"))] = False,
    picture: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    if "://" in camera:
        probe_url(camera, picture=picture, as_json=as_json)
    with command_registry(context) as registry:
        found = registry.camera(camera)
    if sub and found.sub_url is None:
        raise ConfigurationError(say(zh=f"摄像头 {camera} 没有子码流", en=f"camera {camera} has no sub-stream"))
    url = found.sub_url if sub and found.sub_url else found.main_url
    _show_and_exit(probe(url, found.credentials, found.transport), picture, as_json=as_json)


def _show_and_exit(report: ProbeReport, picture: Path | None, *, as_json: bool) -> None:
    if picture is not None and report.picture is not None:
        _save(picture, report.picture)
    if as_json:
        typer.echo(json.dumps(as_document(report, picture), ensure_ascii=False, indent=2))
    else:
        _print(report, picture)
    raise typer.Exit(0 if report.problem is None else 1)


def _save(path: Path, picture: bytes) -> None:
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"--picture：无法写入 {path}：{error.strerror}",
                en=f"--picture: {path} cannot be written: {error.strerror}",
            )
        ) from None


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


def _print(report: ProbeReport, picture: Path | None) -> None:
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _rows(report):
        table.add_row(name, value)
    console.print(table)
    problem = report.problem
    if problem is None:
        console.print(say(zh="[green]正常[/green] 画面已收到。", en="[green]Works[/green] A picture came through."))
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


probe_url.__doc__ = say(
    zh="在 5 秒内检查一路视频：能否连上、登录、编码、画面大小、帧率、关键帧间隔、码率。\n\n"
    "例：sharpeyes probe rtsp://192.168.1.64:554/stream1 --username admin --picture look.jpg",
    en="Check a stream within 5 seconds: reached, login, codec, size, rates.\n\n"
    "Example: sharpeyes probe rtsp://192.168.1.64:554/stream1 --username admin --picture look.jpg",
)
probe_camera.__doc__ = say(
    zh="检查一台已登记的摄像头。\n\n例：sharpeyes camera probe gate-1 --picture look.jpg",
    en="Check a registered camera.\n\nExample: sharpeyes camera probe gate-1 --picture look.jpg",
)
