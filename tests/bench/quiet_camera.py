"""CPU of a quiet camera, recorded continuously and watched: our worker beside ffmpeg copying and ffmpeg decoding.

Four 1080p25 cameras of 4 Mbit/s look at a scene that stands still; once on the main stream, once on the sub-stream.
"""

import contextlib

from tests.bench.ffmpeg import Ffmpeg
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.process_cost import cpu_ms_per_s
from tests.bench.watched_cameras import SEGMENT_S, cameras, running_worker
from tests.servers.rtsp import RtspServer

COUNT = 4
WAYS = (("main stream", None, "<= 11"), ("sub-stream", "still-sub", "<= 4"))


def measure(effort: Effort) -> list[Figure]:
    ours: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    theirs: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    with RtspServer() as server:
        for _ in range(effort.turns):
            idle = worker_cpu(server, 0, None, effort)
            for name, sub_mount, _ in WAYS:
                ours[name].append((worker_cpu(server, COUNT, sub_mount, effort) - idle) / COUNT)
                theirs[name].append(ffmpeg_cpu(server, sub_mount, effort) / COUNT)
    return [
        Figure(
            what=f"quiet camera, watched on its {name}",
            unit="CPU ms/s",
            ours=Samples(what=f"worker with {COUNT} cameras less an idle worker", values=ours[name]),
            baseline=Samples(what="ffmpeg -c copy to segments + ffmpeg decoding to 5 fps", values=theirs[name]),
            goal=goal,
            note=f"segments of {SEGMENT_S} s; embedded bus, directory store",
        )
        for name, _, goal in WAYS
    ]


def worker_cpu(server: RtspServer, count: int, sub_mount: str | None, effort: Effort) -> float:
    """CPU ms a second of the whole worker."""
    watched = cameras(server, count, "still", sub_mount)
    with running_worker(watched, settle_s=effort.settle_s) as worker:
        return cpu_ms_per_s([worker.pid], effort.window_s)


def ffmpeg_cpu(server: RtspServer, sub_mount: str | None, effort: Effort) -> float:
    """CPU ms a second of two processes a camera."""
    with contextlib.ExitStack() as running:
        pids = []
        for number in range(1, COUNT + 1):
            main, watched = server.url(f"still-{number}"), server.url(f"{sub_mount or 'still'}-{number}")
            for process in (Ffmpeg.copy(main, SEGMENT_S), Ffmpeg.decode(watched)):
                pids.append(running.enter_context(process).pid)
        return cpu_ms_per_s(pids, effort.window_s)
