"""`sharpeyes import FILE.csv`: sites and devices of one table into the registry, all of them or none.

Blocks on the file and the database. Shows every problem at once, then raises InvalidInputError.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from console.record_output import note, print_table
from console.registry_context import command_registry
from devices.csv_columns import COLUMNS, kind_word
from devices.csv_import import Import, Record, read_import
from devices.csv_match import check_against, keep_what_csv_cannot_say
from devices.csv_text import MAX_FILE_BYTES
from devices.model import CallBox, Camera, Sensor, Site
from runtime.errors import InvalidInputError
from runtime.language import say
from runtime.os_reason import os_reason

_ENGLISH_EXAMPLE = """\
kind,id,name,site,level,main_url,username,password,purpose,place_type,metric,unit,high,high_clear
site,county,Qingshan County,,county,,,,,,,,,
site,village-3,Three Rivers,county,village,,,,,,,,,
camera,gate-1,East gate,village-3,,rtsp://192.168.1.64/1,admin,PASSWORD,traffic,road_junction,,,,
callbox,box-17,House 17,village-3,,,,,,,,,,
sensor,gauge-2,River gauge,village-3,,,,,,,water_level,m,3.5,3.2
"""

_CHINESE_EXAMPLE = """\
类型,编号,名称,站点,级别,主码流,用户名,密码,用途,场所,指标,单位,上限,上限恢复
站点,county,青山县,,县,,,,,,,,,
站点,village-3,三河村,county,村,,,,,,,,,
摄像头,gate-1,东门,village-3,,rtsp://192.168.1.64/1,admin,密码,交通,路口,,,,
呼叫盒,box-17,王大爷家,village-3,,,,,,,,,,
传感器,gauge-2,河道水位,village-3,,,,,,,water_level,m,3.5,3.2
"""

EXAMPLE = say(zh=_CHINESE_EXAMPLE, en=_ENGLISH_EXAMPLE)

_WORDS = {
    Site: say(zh="站点", en="sites"),
    Camera: say(zh="摄像头", en="cameras"),
    CallBox: say(zh="呼叫盒", en="call boxes"),
    Sensor: say(zh="传感器", en="sensors"),
}


def import_csv(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.csv", help=say(zh="UTF-8 或 GBK 的 CSV", en="CSV in UTF-8 or GBK"))
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help=say(zh="只检查，不写入", en="Check everything, write nothing"))
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=say(
                zh="覆盖已登记的记录；摄像头的区域、线和规则保留",
                en="Overwrite registered records; a camera keeps its zones, lines and rules",
            ),
        ),
    ] = False,
    columns: Annotated[
        bool,
        typer.Option("--columns", help=say(zh="列出可用的列和一个示例", en="List the columns and show an example")),
    ] = False,
) -> None:
    if columns:
        _show_columns()
        return
    if file is None:
        raise InvalidInputError(
            say(
                zh="请给出 CSV 文件；可用的列见 sharpeyes import --columns",
                en="name the CSV file; `sharpeyes import --columns` lists its columns",
            )
        )
    with _progress() as progress:
        task = progress.add_task(say(zh="读取文件", en="Reading"))
        found = read_import(_read_file(file))
        progress.update(task, description=say(zh="核对登记", en="Checking against the registry"))
        with command_registry(context, may_begin=True) as registry:
            replaced = check_against(found, registry, may_replace=replace)
            if not found.problems and not dry_run:
                progress.update(task, description=say(zh="写入", en="Writing"))
                registry.put_all(keep_what_csv_cannot_say(found.records, registry))
    if found.problems:
        _refuse(file, found)
    _summarise(found.records, replaced, dry_run=dry_run)


import_csv.__doc__ = say(
    zh="从 CSV 文件批量登记。\n\n一次登记站点和设备：全部成功或全部不写入，每个有误的行都列出行号、列和原因。\n\n"
    "例：sharpeyes import devices.csv --dry-run",
    en="Register the sites and devices of a CSV file: all of them or none; every bad row is named with its line, "
    "column and reason.\n\nExample: sharpeyes import devices.csv --dry-run",
)


def _read_file(path: Path) -> bytes:
    """At most one byte more than an import may have; InvalidInputError when the file cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = os_reason(error)
        raise InvalidInputError(say(zh=f"{path}：无法读取：{reason}", en=f"{path}: cannot be read: {reason}")) from None


def _progress() -> Progress:
    """On standard error, and only where a person watches."""
    console = Console(stderr=True)
    parts = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    return Progress(*parts, console=console, transient=True, disable=not console.is_terminal)


def _refuse(path: Path, found: Import) -> None:
    headings = (say(zh="行", en="Line"), say(zh="列", en="Column"), say(zh="原因", en="Reason"))
    print_table(headings, [(str(problem.line), problem.column, problem.reason) for problem in found.problems])
    bad = len({problem.line for problem in found.problems})
    raise InvalidInputError(
        say(
            zh=f"{path}:{found.rows} 行中有 {bad} 行有误，什么都没有写入",
            en=f"{path}: {bad} of {found.rows} rows are wrong; nothing was written",
        )
    )


def _summarise(records: Sequence[Record], replaced: int, *, dry_run: bool) -> None:
    counts = Counter(_WORDS[type(record)] for record in records)
    listed = say(zh="、", en=", ").join(f"{count} {word}" for word, count in counts.items()) or "0"
    if dry_run:
        note(
            say(
                zh=f"检查通过，没有写入：{listed}（其中覆盖 {replaced}）",
                en=f"All well, nothing written: {listed} ({replaced} to overwrite)",
            )
        )
    else:
        note(say(zh=f"已导入：{listed}（其中覆盖 {replaced}）", en=f"Imported: {listed} ({replaced} overwritten)"))


def _show_columns() -> None:
    headings = (
        say(zh="列", en="Column"),
        say(zh="或写作", en="Or"),
        say(zh="用于", en="For"),
        say(zh="必填", en="Required for"),
        say(zh="含义", en="Meaning"),
    )
    print_table(
        headings,
        [
            (
                say(zh=column.zh, en=column.name),
                say(zh=column.name, en=column.zh),
                " ".join(map(kind_word, column.kinds)),
                " ".join(map(kind_word, column.required)),
                column.meaning,
            )
            for column in COLUMNS
        ],
    )
    typer.echo(f"\n{EXAMPLE}", nl=False)
