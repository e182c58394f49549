"""`sharpeyes simulate ...`: devices in software, to try the system out without any."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated

import typer
from rich.console import Console

from alerts.call import BoxKey, BoxStep
from console import simulate_camera_command
from console.record_output import note
from console.registry_context import command_registry
from console.settings import Settings
from devices.model import DeviceKind
from devices.validation import check_id
from ingest.callbox_memory import CallBoxMemory
from ingest.mqtt_target import target_from_settings
from ingest.simulated_callbox import SimulatedCallBox, Word, press_and_wait
from runtime.errors import ConfigurationError, SharpEyesError, UnavailableError
from runtime.language import say

app = typer.Typer(no_args_is_help=True, help=say(zh="模拟设备，用于试用", en="Simulated devices, for trying out"))
app.command("camera", help=simulate_camera_command.HELP)(simulate_camera_command.camera)

_KEYS = {"g": BoxKey.CALL, "r": BoxKey.HANGUP, "u": BoxKey.UP, "d": BoxKey.DOWN}
_NAMES: Mapping[str, BoxKey] = {
    **{key.value: key for key in BoxKey},
    **_KEYS,
    "green": BoxKey.CALL,
    "red": BoxKey.HANGUP,
    "绿": BoxKey.CALL,
    "红": BoxKey.HANGUP,
    "满意": BoxKey.UP,
    "不满意": BoxKey.DOWN,
}
"""What --press may call a key: as the contract does, as its colour, as the keyboard."""

_QUIT = {"q", "\x03", "\x04"}
MAX_TYPED_BYTES = 64
"""What is typed between two looks at the keyboard."""

_screen = Console(highlight=False, soft_wrap=True)

KEY_NAMES = {
    BoxKey.CALL: say(zh="绿键（呼叫）", en="green key (call)"),
    BoxKey.HANGUP: say(zh="红键（挂断）", en="red key (hang up)"),
    BoxKey.UP: say(zh="拇指向上（满意）", en="thumb up"),
    BoxKey.DOWN: say(zh="拇指向下（不满意）", en="thumb down"),
}
WORDS = {
    "ack": say(zh="已收到", en="the press is safe"),
    BoxStep.RINGING: say(zh="正在呼叫值班人员……", en="ringing the duty room..."),
    BoxStep.ANSWERED: say(zh="已接听", en="answered"),
    BoxStep.ASSIGNED: say(zh="已派人前来", en="someone is on the way"),
    BoxStep.ARRIVED: say(zh="处置人员已到达", en="help has arrived"),
    BoxStep.RATE: say(zh="请评价：u 满意，d 不满意", en="please rate: u good, d bad"),
    BoxStep.CLOSED: say(zh="本次求助已结束", en="the call is closed"),
}


@app.command(
    help=say(
        zh="模拟一个呼叫盒：g 呼叫，r 挂断，u 满意，d 不满意，q 退出。\n\n"
        "脚本中使用：sharpeyes simulate callbox box-1 --press call --wait ringing",
        en="A call box with its four keys: g call, r hang up, u thumb up, d thumb down, q quit.\n\n"
        "In scripts: sharpeyes simulate callbox box-1 --press call --wait ringing",
    )
)
def callbox(
    context: typer.Context,
    callbox_id: Annotated[str, typer.Argument(metavar="ID", help=say(zh="呼叫盒编号", en="Id of the call box"))],
    press: Annotated[
        str | None,
        typer.Option(
            help=say(
                zh="依次按下的键，逗号分隔：call（绿）、hangup（红）、up（满意）、down（不满意）",
                en="Keys to press in turn, comma-separated: call (green), hangup (red), up, down",
            )
        ),
    ] = None,
    wait: Annotated[
        BoxStep | None, typer.Option(help=say(zh="等到听见这个词再退出", en="Leave once this word was heard"))
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help=say(zh="最多等待的秒数", en="Seconds to wait at most"))
    ] = 60.0,
) -> None:
    settings: Settings = context.obj.values
    check_id(callbox_id, "ID")
    keys = _read_keys(press)
    _warn_of_unknown(context, callbox_id)
    memory = CallBoxMemory(settings.data / "demo" / f"callbox-{callbox_id}.json")
    target = target_from_settings(settings)
    with SimulatedCallBox(target, callbox_id, memory) as box:
        if keys or wait:
            if not press_and_wait(box, keys, wait, timeout, _show):
                raise _not_in_time(box, timeout)
        else:
            _converse(box)


def _read_keys(press: str | None) -> list[BoxKey]:
    names = [name.strip().lower() for name in press.replace("\uff0c", ",").split(",")] if press else []
    for name in names:
        if name not in _NAMES:
            known = ", ".join(BoxKey)
            raise ConfigurationError(
                say(
                    zh=f"--press：没有 {name!r} 这个键。可用：{known}",
                    en=f"--press: there is no key {name!r}. There are: {known}",
                )
            )
    return [_NAMES[name] for name in names]


def _warn_of_unknown(context: typer.Context, callbox_id: str) -> None:
    """Say at once that the bridge will not know this box, where the registry is on this machine and can be read."""
    with suppress(SharpEyesError), command_registry(context) as registry:
        if registry.device_kinds().get(callbox_id) is not DeviceKind.CALLBOX:
            folder = context.obj.values.data
            note(
                say(
                    zh=f"注意：{folder} 中没有登记呼叫盒 {callbox_id}，按键不会有回应。"
                    f"登记：sharpeyes callbox add {callbox_id} --site 站点编号",
                    en=f"Note: no call box {callbox_id} is registered in {folder}: nobody will answer it. "
                    f"Register it: sharpeyes callbox add {callbox_id} --site SITE",
                )
            )


def _not_in_time(box: SimulatedCallBox, timeout_s: float) -> UnavailableError:
    if not box.is_connected:
        return UnavailableError(
            say(
                zh=f"{timeout_s:g} 秒内未能连上 MQTT 服务；请先启动 sharpeyes up，或检查 SHARPEYES_MQTT_URL",
                en=f"no MQTT broker within {timeout_s:g} s; start `sharpeyes up` first, or check SHARPEYES_MQTT_URL",
            )
        )
    return UnavailableError(
        say(
            zh=f"{timeout_s:g} 秒内没有听到等待的回应；呼叫盒 {box.callbox_id} 登记了吗？桥接进程在运行吗？",
            en=f"what was awaited did not come within {timeout_s:g} s; is call box {box.callbox_id} registered, "
            "and does the bridge run?",
        )
    )


def _converse(box: SimulatedCallBox) -> None:
    """Keys of the terminal until q."""
    if not sys.stdin.isatty():
        raise ConfigurationError(
            say(
                zh="此命令需要终端；在脚本中请用 --press，例如 --press call --wait ringing",
                en="this needs a terminal; in scripts use --press, for example --press call --wait ringing",
            )
        )
    _screen.print(
        say(
            zh=f"呼叫盒 {box.callbox_id}：g 呼叫  r 挂断  u 满意  d 不满意  q 退出",
            en=f"Call box {box.callbox_id}: g call  r hang up  u thumb up  d thumb down  q quit",
        )
    )
    was_connected: bool | None = None
    with _single_keys():
        while True:
            if box.is_connected is not was_connected:
                was_connected = box.is_connected
                _screen.print(
                    say(zh="已联网", en="connected")
                    if was_connected
                    else say(zh="正在连接 MQTT 服务……", en="connecting to the broker...")
                )
            for typed in _typed():
                if typed in _QUIT:
                    return
                if typed in _KEYS:
                    _screen.print(f"[bold]> {KEY_NAMES[_KEYS[typed]]}[/bold]")
                    box.press(_KEYS[typed])
            word = box.step(0.1)
            if word is not None:
                _show(word)


def _show(word: Word) -> None:
    number = f" #{word.seq}" if word.cmd == "ack" and word.seq is not None else ""
    _screen.print(f"< {word.cmd}{number}  {WORDS.get(word.cmd, '')}", markup=False)


def _typed() -> str:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return os.read(sys.stdin.fileno(), MAX_TYPED_BYTES).decode("ascii", "ignore").lower() if ready else ""


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys without Enter and without echo, those typed before as well; the terminal is put back in any case."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin, termios.TCSANOW)  # the default throws away what is typed while this program starts
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
