"""The `sharpeyes` command: assembles the subcommands and turns known errors into one clear line and exit code 2."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from typer.exceptions import TyperException

from console.lazy_commands import LazyCommands
from console.settings import Settings
from console.usage_errors import explain
from runtime.errors import SharpEyesError
from runtime.language import say
from runtime.log import configure_logging, mask_url_login
from runtime.settings import Effective, load_settings

app = typer.Typer(
    name="sharpeyes",
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help=say(
        zh="慧眼：接入摄像头、呼叫盒和传感器，发现情况，把带片段的告警送到处置人员。",
        en="Cameras, call boxes and sensors in; alerts with their clip out, to the people who must respond.",
    ),
)


@app.callback()
def load(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(readable=False, help=say(zh="保存全部状态的目录", en="Folder that keeps all state")),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help=say(zh="设置文件 (TOML)", en="Settings file (TOML); otherwise DATA/sharpeyes.toml if there is one")
        ),
    ] = None,
) -> None:
    """Load the settings once; subcommands take them from `context.obj`."""
    context.obj = read_settings(data, config)
    configure_logging(context.obj.values.log_level, context.obj.values.log_format)


def read_settings(data: Path | None, config: Path | None) -> Effective[Settings]:
    """The effective settings; `config` wins over `sharpeyes.toml` in the data folder."""
    options = {"data": data}
    if config is None:
        folder = load_settings(Settings, options=options).values.data
        in_folder = folder / "sharpeyes.toml"
        config = in_folder if os.path.isfile(in_folder) else None  # also False where the folder may not be read
    return load_settings(Settings, file=config, options=options)


def main() -> None:
    """Entry point of the `sharpeyes` command."""
    try:
        code = app(standalone_mode=False)  # else typer would print what was typed wrong, in English
    except SharpEyesError as error:
        sys.exit(_refuse(mask_url_login(str(error)), 2))
    except TyperException as error:
        sys.exit(_refuse(mask_url_login(explain(error)), error.exit_code))
    except typer.Abort:
        sys.exit(_refuse(say(zh="已取消", en="cancelled"), 1))
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str, code: int) -> int:
    """Say what is wrong, unless the help was the answer already; returns the exit code."""
    if message.strip():
        heading = say(zh="错误：", en="Error:")
        Console(stderr=True).print(f"[red]{heading}[/red]", escape(message), soft_wrap=True, sep=say(zh="", en=" "))
    return code
