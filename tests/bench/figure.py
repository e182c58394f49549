"""What a bench gives: figures of ours beside a baseline's, each with the samples of all turns; and what was missing."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One quantity, measured once a turn; what `what` names."""

    what: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def text(self) -> str:
        """The median, and the lowest and highest of several turns."""
        if len(self.values) == 1:
            return rounded(self.median)
        return f"{rounded(self.median)} ({rounded(min(self.values))}–{rounded(max(self.values))})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. `goal` is the design's, for a machine with VNNI; `note` says what it does not show."""

    what: str
    unit: str
    ours: Samples
    baseline: Samples | None = None
    goal: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the baseline's, by medians; None without a baseline."""
        if self.baseline is None or self.baseline.median == 0:
            return None
        return self.ours.median / self.baseline.median


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A bench that could not run, and what it lacked."""

    bench: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long and how often a bench measures.

    A still scene has settled when nothing stirred for `quiet_s`, and is then watched for as long.
    """

    turns: int
    window_s: float
    settle_s: float
    quiet_s: float


FULL = Effort(turns=3, window_s=10.0, settle_s=10.0, quiet_s=20.0)
"""The still footage comes round every 20 s."""

QUICK = Effort(turns=1, window_s=4.0, settle_s=9.0, quiet_s=4.0)


def rounded(value: float) -> str:
    """Three significant digits, thousands with commas."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
