"""Memory of one more quiet camera in a worker, with ten seconds of packets kept, beside one ffmpeg process."""

import time

from tests.bench.ffmpeg import Ffmpeg
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.process_cost import memory_mb
from tests.bench.watched_cameras import SEGMENT_S, await_quiet, cameras, running_worker
from tests.servers.rtsp import RtspServer

QUIET_S = 4.0
FEW, MANY = 2, 8
PRE_ROLL_S = 10
FILL_S = PRE_ROLL_S + 6
"""A ring is full when its seconds and one more group of pictures have come; buffers of the beginning are given back."""


def measure(effort: Effort) -> list[Figure]:
    each, empty, theirs = [], [], []
    with RtspServer() as server:
        for _ in range(effort.turns):
            empty.append(worker_memory(server, 0))
            each.append((worker_memory(server, MANY) - worker_memory(server, FEW)) / (MANY - FEW))
            theirs.append(ffmpeg_memory(server))
    ffmpeg = Samples(what="one ffmpeg -c copy process", values=theirs)
    return [
        Figure(
            what=f"memory of a quiet camera, {PRE_ROLL_S} s of packets kept",
            unit="MB (PSS)",
            ours=Samples(what=f"worker with {MANY} cameras less one with {FEW}, divided by {MANY - FEW}", values=each),
            baseline=ffmpeg,
            goal="<= 8",
        ),
        Figure(
            what="memory of a worker without cameras",
            unit="MB (PSS)",
            ours=Samples(what="the process when ready", values=empty),
            baseline=ffmpeg,
        ),
    ]


def worker_memory(server: RtspServer, count: int) -> float:
    """Of the whole worker, once the rings of its cameras are full."""
    settings = {"ring_s": PRE_ROLL_S}
    with running_worker(cameras(server, count, "still"), settings, settle_s=FILL_S if count else 0.0) as worker:
        await_quiet(worker, QUIET_S)
        return memory_mb(worker.pid)


def ffmpeg_memory(server: RtspServer) -> float:
    with Ffmpeg.copy(server.url("still-1"), SEGMENT_S) as process:
        time.sleep(PRE_ROLL_S / 2)
        return memory_mb(process.pid)
