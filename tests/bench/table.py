"""The figures as a table, for the terminal and as docs/measurements.md."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.figure import Figure, Missing, rounded
from tests.bench.machine import describe

WIDTH = 140
COLUMNS = ("what", "unit", "Sharp Eyes", "baseline", "ratio", "goal")

INTRODUCTION = """\
# Measurements

Made by `make bench`; do not edit by hand. Every figure was measured beside its baseline in the same run, turn by turn
(the two alternate); what is shown is the median of the turns and, in brackets, the lowest and the highest. The ratio is
ours over the baseline's and holds longer than the figures. CPU is user and system time of the processes and their
children as the OS counted it; cameras and servers run on the same machine and are not counted. Goals are the design's,
for two cores with AVX512-VNNI and the 8-bit detector.
"""


def print_table(figures: Sequence[Figure], missing: Sequence[Missing]) -> None:
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*_cells(figure))
    console = Console(width=WIDTH)
    console.print(table)
    for absent in missing:
        console.print(f"{absent.bench}: not measured: {absent.reason}", markup=False)


def write_page(
    page: Path, figures: Sequence[Figure], missing: Sequence[Missing], run: Sequence[tuple[str, str]]
) -> None:
    lines = [INTRODUCTION, *_machine_lines(run), "", *_row(COLUMNS), *_row(("---",) * len(COLUMNS))]
    for figure in figures:
        lines += _row(_cells(figure))
    lines += ["", "What was compared:", ""]
    lines += [f"- {_explanation(figure)}" for figure in figures]
    lines += [f"- **{absent.bench}** was not measured: {absent.reason}" for absent in missing]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _machine_lines(run: Sequence[tuple[str, str]]) -> list[str]:
    return [
        *_row(("machine", "")),
        *_row(("---", "---")),
        *(line for pair in [*run, *describe()] for line in _row(pair)),
    ]


def _row(cells: Sequence[str]) -> list[str]:
    return ["| " + " | ".join(cells) + " |"]


def _cells(figure: Figure) -> tuple[str, ...]:
    baseline = figure.baseline.text() if figure.baseline else "-"
    ratio = "-" if figure.ratio is None else rounded(figure.ratio)
    return (figure.what, figure.unit, figure.ours.text(), baseline, ratio, figure.goal or "-")


def _explanation(figure: Figure) -> str:
    beside = f", beside {figure.baseline.what}" if figure.baseline else ""
    note = f" ({figure.note})" if figure.note else ""
    return f"**{figure.what}**: {figure.ours.what}{beside}{note}."
