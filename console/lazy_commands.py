"""Subcommands that are imported only when they are asked for, so that a short command does not load libav and ORT."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

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


class LazyCommands(TyperGroup):
    """The group of `COMMANDS`."""

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
        return command
