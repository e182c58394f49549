"""`sharpeyes camera add|list|show|probe|remove`. Each command opens the registry, does one thing, closes it.

A password comes in a URL or on standard input, is encrypted by the registry, and is never printed.
"""

from pathlib import Path
from typing import Annotated

import typer

from console.probe_command import probe_camera
from console.record_output import note, print_json, print_record, print_records, shown_document
from console.registry_context import command_registry
from console.registry_options import (
    AsJson,
    AtSite,
    Disabled,
    Id,
    Name,
    PositionText,
    Replace,
    read_password,
    read_position,
    refuse_if_registered,
)
from devices.login import one_login, split_login
from devices.model import Camera, Credentials, PlaceType, Purpose, RecordingMode, Secret, Transport
from devices.scene import Scene
from devices.scene_file import load_scene_file
from devices.validation import FieldError
from runtime.language import say

app = typer.Typer(no_args_is_help=True, help=say(zh="摄像头", en="Cameras"))

_COLUMNS = (
    ("camera_id", say(zh="编号", en="Id")),
    ("name", say(zh="名称", en="Name")),
    ("site_id", say(zh="站点", en="Site")),
    ("main_url", say(zh="主码流", en="Main URL")),
    ("purpose", say(zh="用途", en="Purpose")),
    ("recording", say(zh="录像", en="Recording")),
    ("enabled", say(zh="启用", en="Enabled")),
)

Url = Annotated[
    str, typer.Option("--url", metavar="URL", help=say(zh="主码流的 RTSP 地址", en="RTSP URL, main stream"))
]
SubUrl = Annotated[
    str | None, typer.Option("--sub-url", metavar="URL", help=say(zh="子码流的 RTSP 地址", en="RTSP URL, sub-stream"))
]
Username = Annotated[
    str | None,
    typer.Option(help=say(zh="登录名；同时给出 --password-stdin", en="Login; give --password-stdin with it")),
]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin",
        help=say(
            zh="从标准输入读密码，不留在命令历史里",
            en="Read the password from standard input: no trace in shell history",
        ),
    ),
]
SceneFile = Annotated[
    Path | None,
    typer.Option("--scene", metavar="FILE", help=say(zh="区域、线和规则 (YAML)", en="Zones, lines and rules (YAML)")),
]


@app.command(
    help=say(
        zh="登记一台摄像头。\n\n例：sharpeyes camera add gate-1 --url rtsp://192.168.1.64/Streaming/Channels/101 "
        "--username admin --password-stdin --site village-3 --purpose traffic --place-type road_junction "
        "--scene gate.yaml < password.txt",
        en="Register a camera.\n\n"
        "Example: sharpeyes camera add gate-1 --url rtsp://192.168.1.64/Streaming/Channels/101 "
        "--username admin --password-stdin --site village-3 --purpose traffic --place-type road_junction "
        "--scene gate.yaml < password.txt",
    )
)
def add(
    context: typer.Context,
    camera_id: Id,
    url: Url,
    site: AtSite,
    purpose: Annotated[Purpose, typer.Option(help=say(zh="为什么装在这里", en="Why it stands there"))],
    place_type: Annotated[PlaceType, typer.Option(help=say(zh="装在什么地方", en="What kind of place it watches"))],
    name: Name = None,
    sub_url: SubUrl = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    transport: Annotated[Transport, typer.Option(help=say(zh="RTP 的传输方式", en="How RTP travels"))] = Transport.TCP,
    position: PositionText = None,
    scene_file: SceneFile = None,
    detect_fps: Annotated[float, typer.Option(help=say(zh="活动时每秒检测次数", en="Detections a second"))] = 5.0,
    recording: Annotated[
        RecordingMode, typer.Option(help=say(zh="录像方式", en="What is recorded"))
    ] = RecordingMode.EVENTS,
    model: Annotated[
        str | None, typer.Option(help=say(zh="检测模型，默认按设置", en="Detector; as set if left out"))
    ] = None,
    disabled: Disabled = False,
    replace: Replace = False,
) -> None:
    main_url, sub_url, credentials = _addresses(url, sub_url, _typed_login(username, password_stdin))
    scene = load_scene_file(scene_file) if scene_file is not None else Scene()
    camera = Camera(
        camera_id=camera_id,
        name=name or camera_id,
        site_id=site,
        main_url=main_url,
        sub_url=sub_url,
        credentials=credentials,
        purpose=purpose,
        place_type=place_type,
        transport=transport,
        position=read_position(position),
        zones=scene.zones,
        lines=scene.lines,
        rules=scene.rules,
        detect_fps=detect_fps,
        recording=recording,
        model=model,
        enabled=not disabled,
    )
    with command_registry(context, may_begin=True) as registry:
        refuse_if_registered(registry.camera, camera_id, replace=replace)
        registry.put_camera(camera)
    note(
        say(
            zh=f"已登记摄像头 {camera_id}。检查画面：sharpeyes camera probe {camera_id}",
            en=f"Registered camera {camera_id}. See whether it works: sharpeyes camera probe {camera_id}",
        )
    )


def _typed_login(username: str | None, password_stdin: bool) -> Credentials | None:
    if username is None and not password_stdin:
        return None
    if username is None:
        raise FieldError("--username", say(zh="给了密码，缺少用户名", en="is missing beside the password"))
    if not password_stdin:
        raise FieldError(
            "--password-stdin",
            say(
                zh="给了用户名，缺少密码；例：--username admin --password-stdin < password.txt",
                en="is missing beside the user name; for example --username admin --password-stdin < password.txt",
            ),
        )
    return Credentials(username, Secret(read_password()))


def _addresses(url: str, sub_url: str | None, typed: Credentials | None) -> tuple[str, str | None, Credentials | None]:
    """Both URLs without a login, and the one login of all three places; warns of a password on the command line."""
    main_url, main_login = split_login(url, "--url")
    plain_sub_url, sub_login = split_login(sub_url, "--sub-url") if sub_url is not None else (None, None)
    if main_login is not None or sub_login is not None:
        note(
            say(
                zh="注意：地址里的密码会留在命令历史中；下次请用 --username 和 --password-stdin",
                en="Note: a password in a URL stays in the shell's history; use --username and --password-stdin",
            )
        )
    return main_url, plain_sub_url, one_login(typed, main_login, sub_login)


@app.command("list", help=say(zh="列出全部摄像头", en="List all cameras"))
def list_cameras(context: typer.Context, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        cameras, unreadable = registry.cameras(), registry.unreadable_cameras()
    if cameras or not unreadable or as_json:
        print_records(cameras, _COLUMNS, as_json=as_json)
    for camera in unreadable:
        note(
            say(
                zh=f"摄像头 {camera.camera_id} 无法读取，未列出：{camera.reason}",
                en=f"Camera {camera.camera_id} cannot be read and is not listed: {camera.reason}",
            )
        )


@app.command(help=say(zh="显示一台摄像头；密码以 *** 代替", en="Show one camera; its password as ***"))
def show(context: typer.Context, camera_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        camera = registry.camera(camera_id)
    if as_json:
        print_json(shown_document(camera))
    else:
        print_record(camera)


@app.command(help=say(zh="删除一台摄像头；它的告警和片段保留", en="Remove a camera; its alerts and clips stay"))
def remove(context: typer.Context, camera_id: Id) -> None:
    with command_registry(context) as registry:
        registry.remove_camera(camera_id)
    note(say(zh=f"已删除摄像头 {camera_id}", en=f"Removed camera {camera_id}"))


app.command("probe")(probe_camera)
