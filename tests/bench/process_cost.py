"""What processes cost, as the OS counted it: CPU time and memory from /proc. Linux only."""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")

SESSION, OWN_TIMES = 3, slice(11, 15)
"""Fields of /proc/PID/stat after the name: session; utime, stime and those of children that ended."""


def cpu_ms(sessions: Iterable[int]) -> float:
    """User and system time so far of all processes of these sessions, children included, in milliseconds.

    A process started with `start_new_session` is the leader of the session that bears its id.
    """
    wanted = set(sessions)
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields and int(fields[SESSION]) in wanted:
            ticks += sum(map(int, fields[OWN_TIMES]))
    return ticks * 1000 / TICKS_PER_S


def cpu_ms_per_s(sessions: Sequence[int], window_s: float) -> float:
    """CPU milliseconds a second over the next `window_s` seconds; blocks for as long."""
    began_ms, began_s = cpu_ms(sessions), time.monotonic()
    time.sleep(window_s)
    return (cpu_ms(sessions) - began_ms) / (time.monotonic() - began_s)


def memory_mb(pid: int) -> float:
    """Proportional set size of one process: shared pages count in parts, so that processes may be added up."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"/proc/{pid}/smaps_rollup has no Pss")


def _fields(stat: Path) -> list[str]:
    """The fields after the name, which may hold spaces; empty when the process has just ended."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []
