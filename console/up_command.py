"""`sharpeyes up`: everything in one process."""

from typing import Annotated

import typer

from runtime.language import say


def up(
    context: typer.Context,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help=say(
                zh="加入两台模拟摄像头和一个呼叫盒，无需任何设备即可试用",
                en="Add two simulated cameras and a call box, to try it without any device",
            ),
        ),
    ] = False,
) -> None:
    from console.up import run_up  # only this command needs it, and it takes a second to import

    run_up(context.obj.values, demo=demo)


up.__doc__ = say(
    zh="在一个进程里运行全部功能。\n\n直到 Ctrl-C 停止。状态都在数据目录里，再次启动会接着运行。\n\n"
    "例：sharpeyes up --demo",
    en="Run everything in one process, until Ctrl-C. All state is in the data folder; a second start goes on.\n\n"
    "Example: sharpeyes up --demo",
)
