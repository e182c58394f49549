"""`callbox probe` and `sensor probe`: what a device last said of itself, for the installer who stands before it.

Reads the alert store, which a running bridge keeps up to date. Exit code 0 when the device is online, else 1.
"""

import typer
from msgspec import to_builtins

from alerts.contract import DeviceCondition, DeviceStateV1
from console.record_output import note, print_json
from console.store_context import command_store
from runtime.language import say

CONDITIONS = {
    DeviceCondition.ONLINE: say(zh="在线", en="online"),
    DeviceCondition.DEGRADED: say(zh="有问题", en="degraded"),
    DeviceCondition.OFFLINE: say(zh="离线", en="offline"),
}


def probe_device(context: typer.Context, device_id: str, *, as_json: bool) -> None:
    """Print the latest state of a registered device and leave with what it means."""
    with command_store(context) as store:
        state = next((state for state in store.device_states() if state.device_id == device_id), None)
    if state is None:
        note(
            say(
                zh=f"{device_id}：还没有任何消息。桥接进程在运行吗？请启动 sharpeyes up 或 sharpeyes bridge，再试一次",
                en=f"{device_id}: nothing heard yet. Does the bridge run? Start `sharpeyes up` or `sharpeyes bridge`, "
                "then try again",
            )
        )
        raise typer.Exit(1)
    if as_json:
        print_json(to_builtins(state))
    else:
        typer.echo(_line(state))
    raise typer.Exit(0 if state.condition is DeviceCondition.ONLINE else 1)


def _line(state: DeviceStateV1) -> str:
    since = state.since.astimezone()
    reason = say(zh=state.reason.zh, en=state.reason.en)
    return say(
        zh=f"{state.device_id}：{CONDITIONS[state.condition]}，{since:%m-%d %H:%M:%S} 起。{reason}",
        en=f"{state.device_id}: {CONDITIONS[state.condition]} since {since:%m-%d %H:%M:%S}. {reason}",
    )
