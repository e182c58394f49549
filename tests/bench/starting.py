"""From the start of the process to /readyz and to the first frame analysed of all of ten cameras.

Beside it: Python importing the same libraries; and ten ffmpeg processes started at once, each to its first frame.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.ffmpeg import Ffmpeg
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.watched_cameras import START_S, by_camera, cameras
from tests.roles import RoleProcess, register
from tests.servers.rtsp import RtspServer
from tests.waiting import wait_until

COUNT = 10
LIBRARIES = "aiokafka, av, cv2, fastapi, msgspec, numpy, onnxruntime, pydantic, sqlalchemy, structlog, typer, uvicorn"


def measure(effort: Effort) -> list[Figure]:
    ready, analysed, imported, decoded = [], [], [], []
    with RtspServer() as server:
        for _ in range(effort.turns):
            imported.append(import_s())
            decoded.append(ffmpeg_start_s(server))
            until_ready_s, until_analysed_s = worker_start_s(server)
            ready.append(until_ready_s)
            analysed.append(until_analysed_s)
    return [
        Figure(
            what="start to ready",
            unit="s",
            ours=Samples(what="`sharpeyes worker` to /readyz", values=ready),
            baseline=Samples(what="Python importing the libraries it needs", values=imported),
        ),
        Figure(
            what=f"start to the first frame of each of {COUNT} cameras analysed",
            unit="s",
            ours=Samples(what="`sharpeyes worker` until a detector has looked at all of them", values=analysed),
            baseline=Samples(what=f"{COUNT} ffmpeg processes at once, until each has decoded a frame", values=decoded),
            note="a camera sends a key frame every 2 s, so 1 to 2 s are waited for the last of them",
        ),
    ]


def import_s() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True, timeout=START_S)
    return time.monotonic() - began_s


def ffmpeg_start_s(server: RtspServer) -> float:
    with contextlib.ExitStack() as stack:
        processes = [Ffmpeg.decode(server.url(f"street-{number}")) for number in range(1, COUNT + 1)]
        for process in processes:
            stack.callback(process.close)
        threads = stack.enter_context(ThreadPoolExecutor(COUNT))
        began_s = time.monotonic()
        list(threads.map(Ffmpeg.start, processes))
        return time.monotonic() - began_s


def worker_start_s(server: RtspServer) -> tuple[float, float]:
    """Seconds to ready, and to a frame of every camera detected on."""
    watched = cameras(server, COUNT, "street")
    with tempfile.TemporaryDirectory(prefix="sharpeyes-bench-") as folder:
        register(Path(folder), None, *watched)
        began_s = time.monotonic()
        with RoleProcess("worker", Path(folder), {"log_level": "warning"}) as worker:
            ready_s = time.monotonic() - began_s
            wait_until(
                lambda: len(by_camera(worker, "sharpeyes_frames_detected_total")) == COUNT,
                START_S,
                f"{COUNT} cameras to be analysed",
            )
            return ready_s, time.monotonic() - began_s
