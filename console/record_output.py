"""How registry commands show records: tables for people, the registry's own form with --json. Passwords as stars.

Prints on standard output; notes to the person go to standard error, so that --json stays JSON.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from console.record_words import key_word, value_words
from devices.document import Document, to_document
from devices.login import shown_url
from devices.model import CallBox, Camera, Sensor, Site
from runtime.language import say

UNBROKEN = frozenset({say(zh="主码流", en="Main URL")})
"""Headings of columns whose cells people copy: they are given the room, and others are folded."""


def shown_document(record: Site | Camera | CallBox | Sensor) -> Document:
    """The record in the registry's own form, a camera's login beside it without its password."""
    document = to_document(record)
    if isinstance(record, Camera):
        for key in ("main_url", "sub_url"):
            document[key] = shown_url(document[key]) if document[key] is not None else None
        login = record.credentials
        document["login"] = {"username": login.username, "password": "***"} if login is not None else None
    return document


def print_json(value: object) -> None:
    """One JSON document, readable."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table that folds long cells; cells are shown as they are, never as rich's markup."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in UNBROKEN)
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def print_record(record: Site | Camera | CallBox | Sensor) -> None:
    """One record as a table of fields in words; what is a list is shown one entry a line."""
    rows = [(key_word(record, key), _field(record, key, value)) for key, value in shown_document(record).items()]
    print_table((say(zh="项", en="Field"), say(zh="值", en="Value")), rows)


def print_records(
    records: Sequence[Site | Camera | CallBox | Sensor], columns: Sequence[tuple[str, str]], *, as_json: bool
) -> None:
    """A list: all of each record as JSON, or the (key, heading) columns of a table and how to begin if it is empty."""
    documents = [shown_document(record) for record in records]
    if as_json:
        print_json(documents)
    elif not documents:
        note(
            say(zh="还没有登记。用 add 登记，--help 有示例", en="None registered yet. `add --help` shows how to begin")
        )
    else:
        headings = [heading for _, heading in columns]
        pairs = zip(records, documents, strict=True)
        print_table(
            headings, [[_field(record, key, document[key]) for key, _ in columns] for record, document in pairs]
        )


def note(text: str) -> None:
    """One line for the person, on standard error."""
    Console(stderr=True, markup=False, highlight=False).print(text, soft_wrap=True)


def _field(record: Site | Camera | CallBox | Sensor, key: str, value: Any) -> str:
    said = value_words(record, key)
    return _cell(value) if said is None else said


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return say(zh="是", en="yes") if value else say(zh="否", en="no")
    if isinstance(value, list):
        return "\n".join(json.dumps(item, ensure_ascii=False) for item in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
