"""`sharpeyes probe URL` and `sharpeyes camera probe ID`: does this camera work, and if not, what to check next.

Exit code 0 when a picture came, 1 when not, so that scripts can ask as well.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.registry_context import command_registry
from devices.login import split_login
from devices.model import Credentials, Secret, Transport
from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.os_reason import os_reason

if TYPE_CHECKING:
    from ingest.probe import ProbeReport

PICTURE = Path("probe.jpg")
"""In the folder where the installer stands, so that it is found without looking."""

PictureOption = Annotated[
    Path,
    typer.Option("--picture", help=say(zh="画面保存到哪个 JPEG 文件", en="JPEG file for the picture")),
]
JsonOption = Annotated[bool, typer.Option("--json", help=say(zh="输出 JSON", en="Print JSON"))]
TransportOption = Annotated[Transport, typer.Option(help=say(zh="传输方式", en="Transport"))]


def probe_url(
    url: Annotated[str, typer.Argument(help="rtsp://[USER:PASSWORD@]HOST[:PORT]/PATH")],
    transport: TransportOption = Transport.TCP,
    username: Annotated[str | None, typer.Option(help=say(zh="用户名", en="User name"))] = None,
    picture: PictureOption = PICTURE,
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
    picture: PictureOption = PICTURE,
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


def probe(url: str, credentials: Credentials | None, transport: Transport) -> "ProbeReport":
    """See `ingest.probe`."""
    # Not at the top: libav and OpenCV load slowly, and `camera list` imports this module too.
    from ingest.probe import probe as probe_stream

    return probe_stream(url, credentials, transport)


def _show_and_exit(report: "ProbeReport", picture: Path, *, as_json: bool) -> None:
    from console.probe_output import as_document, print_report  # it imports ingest.probe

    if report.picture is not None:
        _save(picture, report.picture)
    if as_json:
        typer.echo(json.dumps(as_document(report, picture if report.picture else None), ensure_ascii=False, indent=2))
    else:
        print_report(report, picture if report.picture else None)
    raise typer.Exit(0 if report.problem is None else 1)


def _save(path: Path, picture: bytes) -> None:
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"--picture：无法写入 {path}：{os_reason(error)}",
                en=f"--picture: {path} cannot be written: {os_reason(error)}",
            )
        ) from None


probe_url.__doc__ = say(
    zh="检查一路视频。\n\n在 5 秒内查出：能否连上、登录、编码、画面大小、帧率、关键帧间隔、码率。\n\n"
    "例：sharpeyes probe rtsp://192.168.1.64:554/stream1 --username admin --picture look.jpg",
    en="Check a stream within 5 seconds: reached, login, codec, size, rates.\n\n"
    "Example: sharpeyes probe rtsp://192.168.1.64:554/stream1 --username admin --picture look.jpg",
)
probe_camera.__doc__ = say(
    zh="检查一台已登记的摄像头。\n\n例：sharpeyes camera probe gate-1 --picture look.jpg",
    en="Check a registered camera.\n\nExample: sharpeyes camera probe gate-1 --picture look.jpg",
)
