"""CPU of a quiet camera, recorded continuously and watched: our worker beside ffmpeg copying and ffmpeg decoding.

Four 1080p25 cameras of 4 Mbit/s look at a scene that stands still; once on the main stream, once on the sub-stream.
"""

import contextlib

from tests.bench.ffmpeg import Ffmpeg
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.process_cost import cpu_ms_per_s
from tests.bench.watched_cameras import (
    SEGMENT_S,
    await_quiet,
    cameras,
    frames_beyond_watching,
    running_worker,
)
from tests.servers.rtsp import RtspServer

COUNT = 4
WAYS = (("main stream", None, "<= 11"), ("sub-stream", "still-sub", "<= 4"))


def measure(effort: Effort) -> list[Figure]:
    ours: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    theirs: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    alarms = dict.fromkeys(ours, 0)
    with RtspServer() as server:
        for _ in range(effort.turns):
            idle, _ = worker_cpu(server, 0, None, effort)
            for name, sub_mount, _ in WAYS:
                cost, needless = worker_cpu(server, COUNT, sub_mount, effort)
                ours[name].append((cost - idle) / COUNT)
                alarms[name] += int(needless)
                theirs[name].append(ffmpeg_cpu(server, sub_mount, effort) / COUNT)
    return [
        Figure(
            what=f"quiet camera, watched on its {name}",
            unit="CPU ms/s",
            ours=Samples(what=f"worker with {COUNT} cameras less an idle worker", values=ours[name]),
            baseline=Samples(what="ffmpeg -c copy to segments + ffmpeg decoding to 5 fps", values=theirs[name]),
            goal=goal,
            note=f"segments of {SEGMENT_S} s; embedded bus, directory store; {alarms[name]} frames decoded in vain",
        )
        for name, _, goal in WAYS
    ]


def worker_cpu(server: RtspServer, count: int, sub_mount: str | None, effort: Effort) -> tuple[float, float]:
    """CPU ms a second of the whole worker; frames it decoded because something seemed to move."""
    watched = cameras(server, count, "still", sub_mount)
    with running_worker(watched) as worker:
        if watched:
            await_quiet(worker, effort.quiet_s)
        before = frames_beyond_watching(worker)
        cost = cpu_ms_per_s([worker.pid], effort.quiet_s)
        return cost, frames_beyond_watching(worker) - before


def ffmpeg_cpu(server: RtspServer, sub_mount: str | None, effort: Effort) -> float:
    """CPU ms a second of two processes a camera."""
    with contextlib.ExitStack() as running:
        pids = []
        for number in range(1, COUNT + 1):
            main, watched = server.url(f"still-{number}"), server.url(f"{sub_mount or 'still'}-{number}")
            for process in (Ffmpeg.copy(main, SEGMENT_S), Ffmpeg.decode(watched)):
                pids.append(running.enter_context(process).pid)
        return cpu_ms_per_s(pids, effort.quiet_s)
