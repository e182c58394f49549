"""The bytes of a CSV file into rows with their line numbers, as spreadsheets in China and elsewhere write them.

UTF-8 with or without BOM, else GBK (read as GB18030, its superset); comma, semicolon or tab, as the header shows.
Pure; raises `InvalidInputError` for a file that cannot be read as a table at all.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.errors import InvalidInputError
from runtime.language import say

MAX_FILE_BYTES = 8 * 1024 * 1024
"""20,000 rows of 400 bytes; the whole file is held in memory, since an import is all or nothing."""

MAX_ROWS = 20_000
"""A county's devices; one transaction writes them all, and others wait for it."""

MAX_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The cells of one record; `line` is the line of the file where it begins, from 1."""

    line: int
    cells: Sequence[str]


def read_table(content: bytes) -> tuple[CsvRow, list[CsvRow]]:
    """The header and the rows below it, without those whose cells are all blank."""
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInputError(
            say(
                zh=f"文件超过 {MAX_FILE_BYTES // 2**20} MiB；请分成几个文件导入",
                en=f"the file is larger than {MAX_FILE_BYTES // 2**20} MiB; import it in parts",
            )
        )
    rows = _rows(_decode(content))
    if not rows:
        raise InvalidInputError(
            say(zh="文件是空的；第一行须为列名", en="the file is empty; its first line names the columns")
        )
    return rows[0], rows[1:]


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            say(
                zh=f"第 {line} 行既不是 UTF-8 也不是 GBK 编码；请在表格软件中另存为“CSV UTF-8”",
                en=f"line {line} is neither UTF-8 nor GBK; save the table as 'CSV UTF-8' in your spreadsheet program",
            )
        ) from None


def _rows(text: str) -> list[CsvRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[CsvRow] = []
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(CsvRow(begins, cells))
            _check_size(rows, cells, begins)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInputError(
            say(zh=f"第 {begins} 行起不是 CSV 格式：{error}", en=f"not CSV from line {begins} on: {error}")
        ) from None
    return rows


def _delimiter(text: str) -> str:
    header = text.partition("\n")[0]
    return next((mark for mark in (",", ";", "\t") if mark in header), ",")


def _check_size(rows: Sequence[CsvRow], cells: Sequence[str], line: int) -> None:
    if len(rows) > MAX_ROWS + 1:
        raise InvalidInputError(
            say(zh=f"超过 {MAX_ROWS} 行；请分成几个文件导入", en=f"more than {MAX_ROWS} rows; import them in parts")
        )
    if len(cells) > MAX_COLUMNS:
        raise InvalidInputError(
            say(zh=f"第 {line} 行超过 {MAX_COLUMNS} 列", en=f"line {line} has more than {MAX_COLUMNS} columns")
        )
