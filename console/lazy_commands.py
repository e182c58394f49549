"""Subcommands that are imported only when they are asked for, so that a short command does not load libav and ORT.

`--data` and `--config` belong to all of them and may stand anywhere: `sharpeyes up --demo --data X`.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from runtime.language import say

COMMANDS = {
    "up": "console.up_command:up",
    "worker": "console.worker_command:worker",
    "bridge": "console.bridge_command:bridge",
    "alerts": "console.alerts_commands:app",
    "site": "console.site_commands:app",
    "camera": "console.camera_commands:app",
    "callbox": "console.callbox_commands:app",
    "sensor": "console.sensor_commands:app",
    "import": "console.import_command:import_csv",
    "probe": "console.probe_command:probe_url",
    "analyze": "console.analyze_command:analyze",
    "simulate": "console.simulate_commands:app",
    "settings": "console.settings_command:settings",
}
"""Name of a subcommand to the function or the typer app that is it, in the order of `--help`."""


SHARED_OPTIONS = frozenset({"--data", "--config"})
"""Each takes one value; no subcommand has an option of this name."""


def shared_options_first(words: Sequence[str]) -> list[str]:
    """The command line with `SHARED_OPTIONS` before the subcommand, where they are read; nothing after `--` moves."""
    shared: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*shared, *rest, word, *left]
        if word in SHARED_OPTIONS and left:
            shared += [word, left.pop(0)]
        elif "=" in word and word.partition("=")[0] in SHARED_OPTIONS:
            shared.append(word)
        else:
            rest.append(word)
    return [*shared, *rest]


class LazyCommands(TyperGroup):
    """The group of `COMMANDS`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _word_help(self, ctx)
        return super().parse_args(ctx, shared_options_first(args))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # typer's own copy of click names the type
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = get_group(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            command = get_command(single)
        command.name = cmd_name
        _word_help(command, ctx)
        return command


def _word_help(command: Any, ctx: Any) -> None:
    """Flags are shown without the type that typer prints behind them, `--help` in the language of this process."""
    asking = command.get_help_option(ctx)
    if asking is not None:
        asking.help = say(zh="显示这段说明", en="Show this message and exit.")
    for option in [*command.params, asking]:
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _word_help(inner, ctx)
