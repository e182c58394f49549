"""`sharpeyes callbox add|list|show|remove`. Each command opens the registry, does one thing, closes it."""

import typer

from console.device_probe import probe_device
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
    read_position,
    refuse_if_registered,
)
from devices.model import CallBox
from runtime.language import say

app = typer.Typer(no_args_is_help=True, help=say(zh="一键呼叫盒", en="One-button call boxes"))

_COLUMNS = (
    ("callbox_id", say(zh="编号", en="Id")),
    ("name", say(zh="名称", en="Name")),
    ("site_id", say(zh="站点", en="Site")),
    ("enabled", say(zh="启用", en="Enabled")),
)


@app.command(
    help=say(
        zh="登记一个呼叫盒；编号就是它的 MQTT 用户名。\n\n"
        "例：sharpeyes callbox add box-17 --site village-3 --name 王大爷家",
        en="Register a call box; its id is its MQTT user name.\n\n"
        "Example: sharpeyes callbox add box-17 --site village-3 --name 'Mr Wang, house 17'",
    )
)
def add(
    context: typer.Context,
    callbox_id: Id,
    site: AtSite,
    name: Name = None,
    position: PositionText = None,
    disabled: Disabled = False,
    replace: Replace = False,
) -> None:
    callbox = CallBox(
        callbox_id=callbox_id,
        name=name or callbox_id,
        site_id=site,
        position=read_position(position),
        enabled=not disabled,
    )
    with command_registry(context, may_begin=True) as registry:
        refuse_if_registered(registry.callbox, callbox_id, replace=replace)
        registry.put_callbox(callbox)
    note(say(zh=f"已登记呼叫盒 {callbox_id}", en=f"Registered call box {callbox_id}"))


@app.command("list", help=say(zh="列出全部呼叫盒", en="List all call boxes"))
def list_callboxes(context: typer.Context, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        callboxes = registry.callboxes()
    print_records(callboxes, _COLUMNS, as_json=as_json)


@app.command(help=say(zh="显示一个呼叫盒", en="Show one call box"))
def show(context: typer.Context, callbox_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        callbox = registry.callbox(callbox_id)
    if as_json:
        print_json(shown_document(callbox))
    else:
        print_record(callbox)


@app.command(help=say(zh="检查一个呼叫盒是否在线", en="Check whether a call box is online, and why not"))
def probe(context: typer.Context, callbox_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        registry.callbox(callbox_id)
    probe_device(context, callbox_id, as_json=as_json)


@app.command(help=say(zh="删除一个呼叫盒；它的告警保留", en="Remove a call box; its alerts stay"))
def remove(context: typer.Context, callbox_id: Id) -> None:
    with command_registry(context) as registry:
        registry.remove_callbox(callbox_id)
    note(say(zh=f"已删除呼叫盒 {callbox_id}", en=f"Removed call box {callbox_id}"))
