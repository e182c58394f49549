"""CPU of a busy camera, five detections a second: our worker beside ffmpeg decoding and onnxruntime alone.

Two 1080p25 cameras of 4 Mbit/s look at a street with people, with one rule over the whole picture.
"""

import contextlib

from devices.model import RecordingMode
from devices.scene import Rule, RuleKind, Zone
from models.catalogue import load_catalogue
from models.picture_input import place
from models.processor import default_model
from tests.bench.child import Child
from tests.bench.ffmpeg import Ffmpeg
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.process_cost import cpu_ms_per_s
from tests.bench.watched_cameras import by_camera, cameras, running_worker
from tests.servers.rtsp import RtspServer

COUNT = 2
DETECT_FPS = 5
EVERYWHERE = Zone(name="all", polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
SELDOM = Rule(name="seldom", kind=RuleKind.ZONE_ENTERED, area="all", classes=frozenset({"person"}), cooldown_s=3600.0)


def measure(effort: Effort) -> list[Figure]:
    ours, theirs, rates = [], [], []
    with RtspServer() as server:
        for _ in range(effort.turns):
            cost, rate = worker_cost(server, effort)
            ours.append(cost / COUNT)
            rates.append(rate)
            theirs.append(baseline_cost(server, effort) / COUNT)
    return [
        Figure(
            what=f"busy camera, {DETECT_FPS} detections a second, {default_model()}",
            unit="CPU ms/s",
            ours=Samples(what=f"worker with {COUNT} cameras less an idle worker", values=ours),
            baseline=Samples(what="ffmpeg decoding to 5 fps + as many bare onnxruntime runs", values=theirs),
            goal="<= 110",
            note=f"detections a second it really made: {Samples(what='', values=rates).text()}",
        )
    ]


def worker_cost(server: RtspServer, effort: Effort) -> tuple[float, float]:
    """CPU ms a second of all cameras of a worker, its idle cost subtracted; detections a second of one camera."""
    with running_worker([]) as idle_worker:
        idle = cpu_ms_per_s([idle_worker.pid], effort.window_s)
    watched = cameras(server, COUNT, "street", zones=(EVERYWHERE,), rules=(SELDOM,), recording=RecordingMode.EVENTS)
    with running_worker(watched, settle_s=effort.settle_s) as worker:
        before = sum(by_camera(worker, "sharpeyes_frames_detected_total").values())
        cost = cpu_ms_per_s([worker.pid], effort.window_s)
        after = sum(by_camera(worker, "sharpeyes_frames_detected_total").values())
    return cost - idle, (after - before) / effort.window_s / COUNT


def baseline_cost(server: RtspServer, effort: Effort) -> float:
    """CPU ms a second of a decoder a camera, and one process that infers for all."""
    entry = load_catalogue().entry(default_model())
    size = place(entry.input, 1920, 1080)
    inference = Child("bare_inference", entry.file, size.input_width_px, size.input_height_px, DETECT_FPS * COUNT)
    with contextlib.ExitStack() as running:
        decoders = [Ffmpeg.decode(server.url(f"street-{number}")) for number in range(1, COUNT + 1)]
        pids = [running.enter_context(decoder).pid for decoder in decoders]
        pids.append(running.enter_context(inference).pid)
        return cpu_ms_per_s(pids, effort.window_s)
