"""`sharpeyes alerts list|show|watch|answer`, beside running roles: on the same data folder, or on Kafka and PostgreSQL.

`list` and `show` read the alert store, `watch` follows the bus, `answer` publishes a case update on it. Each blocks
until it is done; `watch` until Ctrl-C.
"""

import asyncio
import contextlib
import getpass
import time
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from ulid import ULID

from alerts.bus import Bus, Received
from alerts.call import STIMULUS_OF_CASE, move_of
from alerts.call_revision import step_of
from alerts.cloudevents import case_update_message
from alerts.contract import TOPIC_ALERTS, AlertKind, AlertV1, CaseStatus, CaseUpdateV1
from alerts.lifecycle import TABLE
from alerts.open_bus import open_bus
from alerts.store import AlertFilter, AlertStore
from console.alert_options import (
    AlertIdArgument,
    Device,
    Kind,
    SeverityOption,
    Site,
    Status,
    TextOption,
    Wanted,
    read_moment,
)
from console.alert_output import CASES, STATUSES, details, line, standard_output, table
from console.data_folder import prepare_data_folder
from console.record_output import note
from console.registry_context import command_registry, require_database
from console.registry_options import AsJson
from console.settings import Settings
from console.store_context import command_store
from runtime.backoff import Backoff
from runtime.clock import utc
from runtime.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from runtime.language import say

SHOWN_EFFECT_S = 10.0
"""How long `answer` waits to show what its answer did: as long as Kafka takes to move a partition to another reader."""

POLL_S = 0.2

MAX_REMEMBERED = 10_000
"""Alerts whose last revision `watch` keeps, to say what the next one changed: about 20 MB."""

app = typer.Typer(no_args_is_help=True, help=say(zh="告警：查询、跟踪、答复", en="Alerts: search, follow, answer"))

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AlertV1)


@app.command(
    "list",
    help=say(
        zh="列出告警，新的在前。\n\n例：sharpeyes alerts list --status open --site town-1 --since 2h",
        en="List alerts, newest first.\n\nExample: sharpeyes alerts list --status open --site town-1 --since 2h",
    ),
)
def list_alerts(
    context: typer.Context,
    status: Status = None,
    kind: Kind = None,
    severity: SeverityOption = None,
    device: Device = None,
    site: Site = None,
    text: TextOption = None,
    since: Annotated[
        str | None, typer.Option(help=say(zh="此时之后：30m、2h 或日期", en="After: 30m, 2h or a date"))
    ] = None,
    until: Annotated[str | None, typer.Option(help=say(zh="此时之前", en="Before"))] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=say(zh="最多几条", en="At most so many"))] = 50,
    cursor: Annotated[
        str | None, typer.Option(metavar="ID", help=say(zh="从这条之后继续", en="Go on after this one"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    now_ns = time.time_ns()
    wanted = Wanted(status, kind, severity, device, site, text)
    stored = wanted.stored(read_moment(since, "--since", now_ns), read_moment(until, "--until", now_ns))
    with command_store(context) as store:
        page = store.list(stored, limit, cursor)
    if not page.alerts and site is not None:
        _refuse_unknown_site(context, site)
    if as_json:
        typer.echo(_encoder.encode({"alerts": page.alerts, "next_cursor": page.next_cursor}).decode())
        return
    if not page.alerts:
        note(say(zh="没有符合条件的告警", en="No alert matches"))
        return
    standard_output().print(table(page.alerts))
    if page.next_cursor:
        note(say(zh=f"还有更多：--cursor {page.next_cursor}", en=f"There are more: --cursor {page.next_cursor}"))


@app.command(help=say(zh="显示一条告警及其经过", en="Show one alert and what happened to it"))
def show(context: typer.Context, alert: AlertIdArgument, as_json: AsJson = False) -> None:
    with command_store(context) as store:
        found = _find(store, alert)
        history = store.history(found.alert_id)
    if as_json:
        typer.echo(_encoder.encode({"alert": found, "history": history}).decode())
    else:
        from ingest.open_store import place_of_object  # it loads the S3 client, which only this needs

        settings: Settings = context.obj.values
        standard_output().print(details(found, history, lambda key: place_of_object(settings, settings.data, key)))


@app.command(
    help=say(
        zh="实时显示告警的每一次变化，Ctrl-C 结束。\n\n例：sharpeyes alerts watch --severity critical",
        en="Show alerts as they come, until Ctrl-C.\n\nExample: sharpeyes alerts watch --severity critical",
    )
)
def watch(
    context: typer.Context,
    status: Status = None,
    kind: Kind = None,
    severity: SeverityOption = None,
    device: Device = None,
    site: Site = None,
    text: TextOption = None,
    as_json: AsJson = False,
) -> None:
    wanted = Wanted(status, kind, severity, device, site, text)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_watch(context.obj.values, wanted, as_json=as_json))


@app.command(
    help=say(
        zh="以处置系统的身份答复一条告警。\n\n例：sharpeyes alerts answer 01KQ5Z accepted --by 王芳 --note 已电话联系",
        en="Answer an alert as the case system does.\n\n"
        "Example: sharpeyes alerts answer 01KQ5Z accepted --by 'Wang Fang' --note 'on the phone'",
    )
)
def answer(
    context: typer.Context,
    alert: AlertIdArgument,
    status: Annotated[CaseStatus, typer.Argument(help=say(zh="答复", en="The answer"))],
    by: Annotated[str | None, typer.Option(help=say(zh="由谁", en="By whom"))] = None,
    note_text: Annotated[str, typer.Option("--note", help=say(zh="备注", en="Note"))] = "",
    case_id: Annotated[str, typer.Option(help=say(zh="工单号", en="Id of the case"))] = "",
) -> None:
    with command_store(context) as store:
        found = _find(store, alert)
        _refuse_out_of_order(found, status)
        update = _case_update(found.alert_id, status, by or getpass.getuser(), note_text, case_id)
        asyncio.run(_publish(context.obj.values, update))
        note(say(zh=f"已答复：{CASES[status]}", en=f"Answered: {CASES[status]}"))
        effect = _effect(store, update)
    if effect is not None:
        standard_output().print(line(effect))
    else:
        note(
            say(
                zh=f"答复已送出，但负责该告警的进程（{found.owner}）{SHOWN_EFFECT_S:.0f} 秒内未处理；请确认它在运行，"
                f"稍后查看：sharpeyes alerts show {found.alert_id}",
                en=f"The answer is on its way, but the alert's owner ({found.owner}) has not dealt with it within "
                f"{SHOWN_EFFECT_S:.0f} s: see that it runs, then look with sharpeyes alerts show {found.alert_id}",
            )
        )


def _refuse_unknown_site(context: typer.Context, site_id: str) -> None:
    """No alert is one answer, a mistyped site another; a site that was removed may still have alerts."""
    with command_registry(context) as registry:
        registry.site(site_id)


def _find(store: AlertStore, given: str) -> AlertV1:
    """The one alert whose id begins with `given`."""
    prefix = given.upper()
    found = store.list(AlertFilter(id_prefix=prefix), limit=2).alerts
    if not found or not prefix:
        raise NotFoundError(
            say(zh=f"没有编号以 {given!r} 开头的告警", en=f"there is no alert whose id begins with {given!r}")
        )
    if len(found) > 1:
        raise InvalidInputError(
            say(
                zh=f"以 {given!r} 开头的告警不止一条，请多写几位编号",
                en=f"more than one alert id begins with {given!r}: give more of it",
            )
        )
    return found[0]


def _refuse_out_of_order(alert: AlertV1, status: CaseStatus) -> None:
    if alert.kind is AlertKind.CALL:
        allowed = move_of(step_of(alert), STIMULUS_OF_CASE[status]) is not None
    else:
        allowed = (alert.status, status) in TABLE
    if not allowed:
        raise ConflictError(
            say(
                zh=f"该告警{STATUSES[alert.status]}，不能再答复“{CASES[status]}”",
                en=f"the alert is {STATUSES[alert.status]}: it cannot be {CASES[status]} any more",
            )
        )


def _case_update(alert_id: str, status: CaseStatus, by: str, text: str, case_id: str) -> CaseUpdateV1:
    """The update, checked against the bounds of the contract."""
    update = {
        "update_id": str(ULID()),
        "alert_id": alert_id,
        "status": status,
        "at": utc(time.time_ns()),
        "by": by,
        "note": text,
        "case_id": case_id,
    }
    try:
        return msgspec.convert(update, CaseUpdateV1)
    except msgspec.ValidationError as error:
        raise InvalidInputError(say(zh=f"答复无法送出：{error}", en=f"the answer cannot be sent: {error}")) from None


async def _publish(settings: Settings, update: CaseUpdateV1) -> None:
    bus = open_bus(settings, settings.data)
    await bus.start()
    try:
        await bus.publish([case_update_message(update, "command-line")])
    finally:
        await bus.stop()


def _effect(store: AlertStore, update: CaseUpdateV1) -> AlertV1 | None:
    """The revision that the answer made, if it comes soon; a database that is away meanwhile undoes no answer."""
    deadline_s = time.monotonic() + SHOWN_EFFECT_S
    while True:
        with contextlib.suppress(UnavailableError):
            for revision in reversed(store.history(update.alert_id)):
                if revision.case is not None and revision.case.at == update.at:
                    return revision
        if time.monotonic() >= deadline_s:
            return None
        time.sleep(POLL_S)


async def _watch(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    if settings.kafka_bootstrap is None:  # the embedded bus is in the data folder
        require_database(settings)
    prepare_data_folder(settings.data)
    output = standard_output()
    bus = open_bus(settings, settings.data)
    await bus.start()
    backoff = Backoff(first_s=0.5, max_s=5.0)
    try:
        while True:
            try:
                await _follow(bus, wanted, output, as_json=as_json)
            except UnavailableError as error:
                note(say(zh=f"告警总线暂时不可用，正在重试：{error}", en=f"The bus is away, trying again: {error}"))
                await asyncio.sleep(backoff.next_s())
    finally:
        await bus.stop()


async def _follow(bus: Bus, wanted: Wanted, output: Console, *, as_json: bool) -> None:
    seen: dict[str, AlertV1] = {}
    async with bus.subscribe(TOPIC_ALERTS, f"sharpeyes.watch.{ULID()}", from_latest=True) as subscription:
        note(say(zh="等待告警，Ctrl-C 结束", en="Waiting for alerts, Ctrl-C ends"))
        while True:
            for received in await subscription.receive():
                alert = _read(received)
                if alert is None:
                    continue
                before = _remember(seen, alert)
                if wanted.matches(alert):
                    _print(alert, before, output, as_json=as_json)


def _read(received: Received) -> AlertV1 | None:
    try:
        return _decoder.decode(received.message.value)
    except msgspec.MsgspecError:
        return None  # the alert store dead-letters it


def _remember(seen: dict[str, AlertV1], alert: AlertV1) -> AlertV1 | None:
    """Keep the revision as the last of its alert; returns the one before it, if it was seen and is still kept."""
    before = seen.pop(alert.alert_id, None)
    seen[alert.alert_id] = alert
    if len(seen) > MAX_REMEMBERED:
        del seen[next(iter(seen))]
    return before


def _print(alert: AlertV1, before: AlertV1 | None, output: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(_encoder.encode(alert).decode())
    else:
        output.print(line(alert, before))
