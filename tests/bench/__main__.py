"""`python -m tests.bench [NAME ...]`: measures this machine, each figure beside a baseline in the same run.

Prints one table; a whole run also writes docs/measurements.md. Nothing here passes or fails by a time.
"""

import argparse
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import (
    busy_camera,
    camera_memory,
    frame_to_kafka,
    ledger_commits,
    presses,
    quiet_camera,
    starting,
)
from tests.bench.figure import FULL, QUICK, Effort, Figure, Missing
from tests.bench.machine import load_average
from tests.bench.table import print_table, write_page
from tests.servers.cache import MissingServerError

BENCHES: dict[str, Callable[[Effort], list[Figure]]] = {
    "quiet-camera": quiet_camera.measure,
    "busy-camera": busy_camera.measure,
    "camera-memory": camera_memory.measure,
    "frame-to-kafka": frame_to_kafka.measure,
    "presses": presses.measure,
    "ledger": ledger_commits.measure,
    "start": starting.measure,
}
PAGE = Path(__file__).parents[2] / "docs" / "measurements.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measures CPU, memory, latency and throughput beside baselines, on real servers.",
        epilog="`python -m tests.bench.accuracy` measures what detector and tracker find.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benches; all unless named (see --list)")
    parser.add_argument("--quick", action="store_true", help="one short turn each: to see that everything runs")
    parser.add_argument("--list", action="store_true", help="list the benches")
    parser.add_argument("--out", type=Path, help="write the page here, also after a quick or partial run")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"no bench is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    return given


def main() -> None:
    given = arguments()
    if given.list:
        for name, measure in BENCHES.items():
            print(f"{name:16} {(sys.modules[measure.__module__].__doc__ or '').splitlines()[0]}")
        return
    effort = QUICK if given.quick else FULL
    began, load = datetime.now(UTC), load_average()
    figures, missing = run(given.names or list(BENCHES), effort)
    print_table(figures, missing)
    page = given.out or (None if given.quick or given.names else PAGE)
    if page is not None:
        command = shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])
        about = [
            ("date", began.strftime("%Y-%m-%d %H:%M UTC")),
            ("command", f"`{command}`"),
            ("load average before (1, 5, 15 minutes)", load),
        ]
        write_page(page, figures, missing, about)


def run(names: Sequence[str], effort: Effort) -> tuple[list[Figure], list[Missing]]:
    """The figures of all that could run, and what the others lacked."""
    figures: list[Figure] = []
    missing: list[Missing] = []
    for name in names:
        began_s = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            figures += BENCHES[name](effort)
        except MissingServerError as error:
            missing.append(Missing(bench=name, reason=str(error)))
        except (AssertionError, OSError) as error:
            traceback.print_exc()
            missing.append(Missing(bench=name, reason=(str(error).splitlines() or [repr(error)])[0]))
        print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    return figures, missing


if __name__ == "__main__":
    main()
