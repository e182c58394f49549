"""A sensor's readings against its thresholds: what tripped, what cleared, whether data is missing. Pure.

In go readings and ticks with the host's monotonic time, which no time server sets; out come findings, in order, each
change once. Raises `InvalidInputError` for a value that is no number; nothing has changed then.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from devices.model import Crossing, Sensor, Threshold
from runtime.clock import NS_PER_S
from runtime.errors import InvalidInputError


class FindingKind(StrEnum):
    TRIPPED = "tripped"
    CLEARED = "cleared"
    MISSING = "missing"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorFinding:
    """A change at `t_ns`. `threshold` is None for missing and back; `value` is the last reading, None if there is none.

    `since_ns` is when the cause began: the first reading past `trip`, the last reading before silence.
    """

    kind: FindingKind
    t_ns: int
    since_ns: int
    threshold: Threshold | None = None
    value: float | None = None


@dataclass(slots=True)
class _ThresholdState:
    threshold: Threshold
    tripped: bool
    past_since_ns: int | None = None

    def is_past(self, value: float) -> bool:
        """Strictly beyond `trip`, so that a value resting on it neither trips nor flaps when `clear` is the same."""
        above = self.threshold.crossing is Crossing.ABOVE
        return value > self.threshold.trip if above else value < self.threshold.trip

    def is_clear(self, value: float) -> bool:
        above = self.threshold.crossing is Crossing.ABOVE
        return value <= self.threshold.clear if above else value >= self.threshold.clear


class SensorWatch:
    """One sensor. After a restart, `tripped` and `missing` say what stood then, so nothing is told twice.

    A threshold trips once values have been past `trip` for `dwell_s`; the last value stands until the next reading
    or until the data is missing. It clears at the first value at or behind `clear`. Names in `tripped` that the
    sensor no longer has are ignored. `started_ns` is when the watch (re)started: silence is counted from then.
    """

    def __init__(
        self, sensor: Sensor, *, started_ns: int, tripped: Collection[str] = (), missing: bool = False
    ) -> None:
        self.sensor = sensor
        self._states = [_ThresholdState(threshold, threshold.name in tripped) for threshold in sensor.thresholds]
        self._missing = missing
        self._heard_ns = self._now_ns = started_ns
        self._value: float | None = None

    @property
    def tripped(self) -> frozenset[str]:
        """Names of the thresholds that stand tripped."""
        return frozenset(state.threshold.name for state in self._states if state.tripped)

    @property
    def is_missing(self) -> bool:
        return self._missing

    def reading(self, value: float, t_ns: int) -> list[SensorFinding]:
        """Take a reading. Time that goes back counts as standing still. InvalidInputError for NaN and infinity."""
        if not math.isfinite(value):
            raise InvalidInputError(f"value: {value} is not a finite number")
        found = self.tick(t_ns)
        if self._missing:
            self._missing = False
            found.append(self._finding(FindingKind.BACK, self._now_ns, None, value))
        self._heard_ns, self._value = self._now_ns, value
        for state in self._states:
            found += self._judge(state, value)
        return found

    def tick(self, t_ns: int) -> list[SensorFinding]:
        """Let time pass: dwells run out, silence becomes missing data."""
        self._now_ns = max(self._now_ns, t_ns)
        if self._missing:
            return []
        silent_from_ns = self._heard_ns + round(self.sensor.missing_after_s * NS_PER_S)
        found = [finding for state in self._states for finding in self._dwelt(state, min(self._now_ns, silent_from_ns))]
        if self._now_ns > silent_from_ns:
            self._missing = True
            for state in self._states:
                state.past_since_ns = None
            found.append(self._finding(FindingKind.MISSING, self._heard_ns, None, self._value))
        return found

    def _judge(self, state: _ThresholdState, value: float) -> list[SensorFinding]:
        if state.tripped:
            if not state.is_clear(value):
                return []
            state.tripped = False
            return [self._finding(FindingKind.CLEARED, self._now_ns, state.threshold, value)]
        if not state.is_past(value):
            state.past_since_ns = None
            return []
        if state.past_since_ns is None:
            state.past_since_ns = self._now_ns
        return self._dwelt(state, self._now_ns)

    def _dwelt(self, state: _ThresholdState, until_ns: int) -> list[SensorFinding]:
        since_ns = state.past_since_ns
        if since_ns is None or until_ns - since_ns < round(state.threshold.dwell_s * NS_PER_S):
            return []
        state.tripped, state.past_since_ns = True, None
        return [self._finding(FindingKind.TRIPPED, since_ns, state.threshold, self._value)]

    def _finding(
        self, kind: FindingKind, since_ns: int, threshold: Threshold | None, value: float | None
    ) -> SensorFinding:
        return SensorFinding(kind=kind, t_ns=self._now_ns, since_ns=since_ns, threshold=threshold, value=value)
