"""`sharpeyes settings`: the effective settings, secrets masked, each with where it came from."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from console.settings import Settings
from runtime.language import say
from runtime.log import mask_url_login
from runtime.settings import ENV_PREFIX, Effective, origin_word


def settings(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help=say(zh="输出 JSON", en="Print JSON"))] = False,
) -> None:
    effective: Effective[Settings] = context.obj
    rows = [(name, mask_url_login(value), origin, about) for name, value, origin, about in effective.rows()]
    if as_json:
        found = {name: {"value": value, "origin": origin} for name, value, origin, _ in rows}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for heading in (
        say(zh="设置", en="Setting"),
        say(zh="值", en="Value"),
        say(zh="来源", en="From"),
        say(zh="说明", en="Meaning"),
    ):
        table.add_column(heading, overflow="fold")
    for name, value, origin, about in rows:
        table.add_row(ENV_PREFIX + name.upper(), value, origin_word(origin), about)
    Console().print(table)


settings.__doc__ = say(
    zh="显示生效的设置、各自的来源；密码以 *** 代替。\n\n"
    "例：SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 sharpeyes settings",
    en="Show the settings in force and where each came from; secrets are shown as ***.\n\n"
    "Example: SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 sharpeyes settings",
)
