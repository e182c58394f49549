"""A registry CSV into records: every row read, every problem kept with its line and column, nothing written.

`read_import` is pure; `check_against` compares with what is registered. The caller writes `records` with
`Registry.put_all`, which is all or nothing. A file that is no table raises `InvalidInputError`.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.csv_columns import CALLBOX, CAMERA, COLUMNS, DEVICES, SENSOR, SITE, Column, kind_of, kind_word
from devices.csv_text import CsvRow, read_table
from devices.device_rows import device_id
from devices.login import one_login
from devices.model import (
    CallBox,
    Camera,
    Credentials,
    Crossing,
    Position,
    Secret,
    Sensor,
    Severity,
    Site,
    Threshold,
)
from devices.registry import Device
from devices.validation import FieldError, shown
from runtime.errors import InvalidInputError
from runtime.language import say

Values = dict[str, Any]
Record = Site | Device

_BY_HEADING: Mapping[str, Column] = {heading: column for column in COLUMNS for heading in (column.name, column.zh)}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be imported. `column` is a column's name as the file's header writes it."""

    line: int
    column: str
    reason: str


@dataclass(slots=True)
class Import:
    """What a file holds: `records[i]` began on line `lines[i]`; importable only while `problems` is empty."""

    rows: int = 0
    records: list[Record] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    headings: dict[str, str] = field(default_factory=dict)
    """A column's name -> what the header calls it."""
    broken_sites: set[str] = field(default_factory=set)
    """Ids of site rows that could not be read: their devices' rows are not blamed for it."""
    broken_devices: list[tuple[int, str]] = field(default_factory=list)
    """(line, site id) of device rows that could not be read: whether their site is there is said all the same."""

    def complain(self, line: int, column: str, reason: str) -> None:
        self.problems.append(Problem(line, self.headings.get(column, column), reason))


def read_import(content: bytes) -> Import:
    """Read a file's rows and check each by itself and that no id stands twice."""
    header, rows = read_table(content)
    columns = _columns_of(header)
    found = Import(rows=len(rows))
    found.headings = {column.name: cell.strip() for column, cell in zip(columns, header.cells, strict=True)}
    first_lines: dict[tuple[bool, str], int] = {}
    for row in rows:
        record = _read_row(found, columns, row)
        if record is None:
            _remember_broken(found, columns, row)
            continue
        key = (isinstance(record, Site), record.site_id if isinstance(record, Site) else device_id(record))
        earlier = first_lines.setdefault(key, row.line)
        if earlier != row.line:
            found.complain(row.line, "id", say(zh=f"与第 {earlier} 行重复", en=f"is the id of line {earlier} too"))
        found.records.append(record)
        found.lines.append(row.line)
    found.problems.sort(key=lambda problem: problem.line)
    return found


def _columns_of(header: CsvRow) -> list[Column]:
    columns: list[Column] = []
    for number, cell in enumerate(header.cells, start=1):
        column = _BY_HEADING.get(cell.strip().lower())
        if column is None:
            raise InvalidInputError(
                say(
                    zh=f"第 {header.line} 行第 {number} 列：不认识的列名 {shown(cell)}。{_near_heading(cell)}"
                    "用 sharpeyes import --columns 查看可用的列",
                    en=f"line {header.line}, column {number}: unknown heading {shown(cell)}. {_near_heading(cell)}"
                    "`sharpeyes import --columns` lists the known ones",
                )
            )
        if column in columns:
            raise InvalidInputError(
                say(zh=f"列名 {column.name} 出现了两次", en=f"the column {column.name} stands twice in the header")
            )
        columns.append(column)
    for wanted in ("kind", "id", "name"):
        if all(column.name != wanted for column in columns):
            raise InvalidInputError(
                say(zh=f"第一行缺少列 {wanted}", en=f"the first line does not name the column {wanted}")
            )
    return columns


def _near_heading(cell: str) -> str:
    near = difflib.get_close_matches(cell.strip().lower(), _BY_HEADING, n=1, cutoff=0.5)
    return say(zh=f"是不是 {near[0]}？", en=f"Did you mean {near[0]}? ") if near else ""


def _read_row(found: Import, columns: Sequence[Column], row: CsvRow) -> Record | None:
    """The row's record, or None after its problems were noted."""
    before = len(found.problems)
    cells = {column.name: cell for column, cell in zip(columns, row.cells, strict=False)}
    extra = [cell for cell in row.cells[len(columns) :] if cell.strip()]
    if extra:
        found.complain(row.line, "", say(zh="单元格比列名多", en="has more cells than the header has columns"))
    kind = kind_of(cells.get("kind", "")) or ""
    values: Values = {}
    for column in COLUMNS:
        try:
            _read_cell(column, cells.get(column.name, ""), kind, values)
        except FieldError as error:
            found.complain(row.line, column.name, error.reason)
            if column.name == "kind":
                return None
    for check in _TOGETHER[kind]:
        try:
            check(values)
        except FieldError as error:
            found.complain(row.line, _column_name(kind, error.path), error.reason)
    if len(found.problems) > before:
        return None
    try:
        return _BUILDERS[kind](values)
    except FieldError as error:
        found.complain(row.line, _column_name(kind, error.path), error.reason)
        return None


def _remember_broken(found: Import, columns: Sequence[Column], row: CsvRow) -> None:
    cells = {column.name: cell.strip() for column, cell in zip(columns, row.cells, strict=False)}
    kind = kind_of(cells.get("kind", ""))
    if kind == SITE:
        found.broken_sites.add(cells.get("id", ""))
    elif kind in DEVICES and cells.get("site"):
        found.broken_devices.append((row.line, cells["site"]))


def _read_cell(column: Column, cell: str, kind: str, values: Values) -> None:
    text = cell if column.name == "password" else cell.strip()
    if not text:
        if kind in column.required or column.name == "kind":
            raise FieldError(column.name, say(zh="不能为空", en="must not be blank"))
        return
    value = column.read(text, column.name)
    if kind not in column.kinds:
        raise FieldError(column.name, say(zh=f"{kind_word(kind)}没有此项", en=f"does not belong to a {kind}"))
    values[column.name] = value


def _column_name(kind: str, path: str) -> str:
    """The column that a record's field came from."""
    inner = path.rpartition(".")[2]
    if kind == SITE:
        return {"site_id": "id", "parent_id": "site"}.get(inner, inner)
    return {f"{kind}_id": "id", "site_id": "site"}.get(inner, inner)


def _site(values: Values) -> Site:
    return Site(site_id=values["id"], name=values["name"], level=values["level"], parent_id=values.get("site"))


def _given(values: Values, *names: str) -> Values:
    return {name: values[name] for name in names if name in values}


def _device(values: Values, kind: str) -> Values:
    """The fields that all devices share."""
    shared = {f"{kind}_id": values["id"], "name": values["name"], "site_id": values["site"]}
    return {**shared, **_position(values), **_given(values, "enabled")}


def _position(values: Values) -> Values:
    if ("latitude" in values) != ("longitude" in values):
        missing = "longitude" if "latitude" in values else "latitude"
        raise FieldError(missing, say(zh="经度和纬度须同时填写", en="give both latitude and longitude, or neither"))
    if "latitude" not in values:
        return {}
    return {"position": Position(values["latitude"], values["longitude"])}


def _camera(values: Values) -> Camera:
    main_url, main_login = values["main_url"]
    sub_url, sub_login = values.get("sub_url", (None, None))
    return Camera(
        **_device(values, CAMERA),
        **_given(values, "purpose", "place_type", "transport", "detect_fps", "recording", "model"),
        main_url=main_url,
        sub_url=sub_url,
        credentials=one_login(_login(values), main_login, sub_login),
    )


def _login(values: Values) -> Credentials | None:
    if "username" in values:
        return Credentials(values["username"], Secret(values.get("password", "")))
    if "password" in values:
        raise FieldError("username", say(zh="填了密码，缺少用户名", en="is missing beside the password"))
    return None


def _callbox(values: Values) -> CallBox:
    return CallBox(**_device(values, CALLBOX))


def _sensor(values: Values) -> Sensor:
    return Sensor(
        **_device(values, SENSOR),
        **_given(values, "metric", "unit", "missing_after_s"),
        thresholds=tuple(_thresholds(values)),
    )


def _thresholds(values: Values) -> Iterator[Threshold]:
    for name, crossing in (("high", Crossing.ABOVE), ("low", Crossing.BELOW)):
        threshold = _threshold(values, name, crossing)
        if threshold is not None:
            yield threshold


def _threshold(values: Values, name: str, crossing: Crossing) -> Threshold | None:
    if name not in values and f"{name}_clear" in values:
        raise FieldError(name, say(zh="不能为空", en="must not be blank"))
    if name not in values:
        return None
    try:
        return Threshold(
            name=name,
            crossing=crossing,
            trip=values[name],
            clear=values[f"{name}_clear"] if f"{name}_clear" in values else values[name],
            dwell_s=values.get("dwell_s", 0.0),
            severity=values.get("severity", Severity.WARNING),
        )
    except FieldError as error:
        column = {"trip": name, "clear": f"{name}_clear"}.get(error.path, error.path)
        raise FieldError(column, error.reason) from None


_TOGETHER: Mapping[str, Sequence[Callable[[Values], object]]] = {
    SITE: (),
    CAMERA: (_position, _login),
    CALLBOX: (_position,),
    SENSOR: (
        _position,
        lambda values: _threshold(values, "high", Crossing.ABOVE),
        lambda values: _threshold(values, "low", Crossing.BELOW),
    ),
}
"""What is wrong only with several cells together; each is asked, also when other cells are wrong."""


_BUILDERS: Mapping[str, Callable[[Values], Record]] = {
    SITE: _site,
    CAMERA: _camera,
    CALLBOX: _callbox,
    SENSOR: _sensor,
}
