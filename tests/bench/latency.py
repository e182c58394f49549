"""Latencies of one turn: the median and the 99th percentile."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.bench.figure import Figure, Samples

LEAST = 20
"""Fewer than this say nothing of a 99th percentile, and little of a median."""


@dataclass(slots=True)
class Latencies:
    """Of several turns, in milliseconds."""

    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, turn_ms: Sequence[float]) -> None:
        """The latencies of one turn; raises AssertionError when they are too few."""
        assert len(turn_ms) >= LEAST, f"only {len(turn_ms)} latencies were measured"
        p50, p99 = np.percentile(turn_ms, (50, 99)).tolist()
        self.p50_ms.append(p50)
        self.p99_ms.append(p99)
        self.counts.append(len(turn_ms))


def latency_figures(
    what: str, ours: Latencies, theirs: Latencies | None, words: tuple[str, str], goals: tuple[str, str]
) -> list[Figure]:
    """Two lines of the table; `words` say what ours and the baseline are."""
    note = f"{sum(ours.counts)} measured"
    return [
        Figure(
            what=f"{what}, {name}",
            unit="ms",
            ours=Samples(what=words[0], values=mine),
            baseline=Samples(what=words[1], values=others) if others else None,
            goal=goal,
            note=note,
        )
        for name, mine, others, goal in (
            ("p50", ours.p50_ms, theirs.p50_ms if theirs else None, goals[0]),
            ("p99", ours.p99_ms, theirs.p99_ms if theirs else None, goals[1]),
        )
    ]
