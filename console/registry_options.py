"""Options and arguments that the registry commands share, and what they read from them.

Pure but for `read_password`, which reads standard input. Raises InvalidInputError and ConflictError.
"""

import getpass
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from devices.model import Position
from devices.validation import FieldError
from runtime.errors import ConflictError, NotFoundError
from runtime.language import say

MAX_PASSWORD_LINE = 1024
"""A password has at most 256 characters; what is longer was not meant as one."""

Id = Annotated[
    str, typer.Argument(metavar="ID", help=say(zh="编号：字母、数字、- 和 _", en="Id: letters, digits, - and _"))
]
Name = Annotated[
    str | None, typer.Option(help=say(zh="给人看的名称，默认同编号", en="Name for people; the id if left out"))
]
AtSite = Annotated[str, typer.Option("--site", help=say(zh="所在站点的编号", en="Id of the site it stands at"))]
PositionText = Annotated[
    str | None,
    typer.Option(
        "--position", metavar="LAT,LON", help=say(zh="WGS84 纬度，经度", en="WGS84 degrees"), show_default=False
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help=say(zh="已登记时整条覆盖", en="Overwrite the whole record if it is registered")),
]
Disabled = Annotated[bool, typer.Option("--disabled", help=say(zh="登记但不启用", en="Register it switched off"))]
AsJson = Annotated[bool, typer.Option("--json", help=say(zh="输出 JSON", en="Print JSON"))]


def read_position(text: str | None) -> Position | None:
    """ "30.66,104.06" as a position; raises FieldError."""
    if text is None:
        return None
    latitude, _, longitude = text.replace("\uff0c", ",").partition(",")
    try:
        degrees = float(latitude), float(longitude)
    except ValueError:
        raise FieldError(
            "--position", say(zh="须为 纬度，经度，例如 30.66,104.06", en="must be LAT,LON, for example 30.66,104.06")
        ) from None
    try:
        return Position(*degrees)
    except FieldError as error:
        raise error.under("--position") from None


def refuse_if_registered(find: Callable[[str], object], record_id: str, *, replace: bool) -> None:
    """ConflictError when `find(record_id)` finds a record and the person did not say --replace."""
    if replace:
        return
    try:
        find(record_id)
    except NotFoundError:
        return
    raise ConflictError(
        say(
            zh=f"{record_id} 已登记；要覆盖请加 --replace",
            en=f"{record_id} is registered already; --replace overwrites it",
        )
    )


def read_password() -> str:
    """The first line of standard input, or of the keyboard without echo."""
    if sys.stdin.isatty():
        return getpass.getpass(say(zh="密码：", en="Password: "))
    return sys.stdin.readline(MAX_PASSWORD_LINE).rstrip("\r\n")
