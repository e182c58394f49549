"""From the frame that made a rule fire to its alert in Kafka's log, while four busy cameras give alerts all the time.

The rule is loitering with a short dwell, because its `started_at` is that very frame's time (when its packet came); the
end is the broker's time of appending. So decoding, detection, snapshot, ledger and relay are all inside.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from itertools import product

import msgspec

from alerts.contract import TOPIC_ALERTS, AlertV1
from devices.model import RecordingMode
from devices.scene import Rule, RuleKind, Zone
from models.catalogue import load_catalogue
from models.picture_input import place
from models.processor import default_model
from tests.bench.child import Child
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.kafka_log import make_topic, records
from tests.bench.latency import Latencies, latency_figures
from tests.bench.watched_cameras import cameras, running_worker
from tests.roles import on_kafka
from tests.servers.kafka import Kafka
from tests.servers.rtsp import RtspServer

COUNT = 4
DETECT_FPS = 5
COLUMNS, ROWS = 4, 3
TOPIC_PLAIN = "bench.plain"
WORDS = (
    f"`sharpeyes worker` with {COUNT} cameras: decode, detect, track, rule, snapshot, fsync, relay",
    "PyAV, onnxruntime and aiokafka in a straight line: no tracker, rule, picture or disk; "
    "its time begins when it reads a packet, which may have waited in the socket",
)


def measure(effort: Effort) -> list[Figure]:
    whole, kept, plain = Latencies(), Latencies(), Latencies()
    with RtspServer() as server:
        for _ in range(effort.turns):
            with Kafka() as kafka:
                plain.add(asyncio.run(plain_ms(server, kafka, effort)))
                whole_ms, kept_ms = asyncio.run(worker_ms(server, kafka, effort))
                whole.add(whole_ms)
                kept.add(kept_ms)
    return [
        *latency_figures(f"frame to Kafka, {COUNT} busy cameras", whole, plain, WORDS, ("<= 300", "<= 1,000")),
        Figure(
            what="of that: alert made to Kafka, p50",
            unit="ms",
            ours=Samples(what="from `opened_at` (picture saved) over ledger and relay to the log", values=kept.p50_ms),
        ),
    ]


async def worker_ms(server: RtspServer, kafka: Kafka, effort: Effort) -> tuple[list[float], list[float]]:
    """Milliseconds from the frame to the log, and from the alert's making to the log."""
    await make_topic(kafka.bootstrap, TOPIC_ALERTS)
    zones, rules = _grid()
    watched = cameras(server, COUNT, "street", zones=zones, rules=rules, recording=RecordingMode.EVENTS)
    settings = {**on_kafka(kafka), "post_roll_s": 1.0}
    with running_worker(watched, settings, settle_s=effort.settle_s):
        began_ms = time.time_ns() // 1_000_000
        await asyncio.sleep(2 * effort.window_s)
    opened = [found async for found in _opened(kafka, began_ms)]
    return (
        [at_ms - alert.observation.started_at.timestamp() * 1000 for at_ms, alert in opened if alert.observation],
        [at_ms - alert.opened_at.timestamp() * 1000 for at_ms, alert in opened],
    )


async def plain_ms(server: RtspServer, kafka: Kafka, effort: Effort) -> list[float]:
    """Milliseconds from the packet's arrival to the log."""
    await make_topic(kafka.bootstrap, TOPIC_PLAIN)
    entry = load_catalogue().entry(default_model())
    size = place(entry.input, 1920, 1080)
    urls = [server.url(f"street-{number}") for number in range(1, COUNT + 1)]
    given = (kafka.bootstrap, TOPIC_PLAIN, entry.file, size.input_width_px, size.input_height_px, DETECT_FPS, *urls)
    with Child("straight_line", *given):
        await asyncio.sleep(effort.settle_s)
        began_ms = time.time_ns() // 1_000_000
        await asyncio.sleep(effort.window_s)
    return [
        record.timestamp - int(record.value.split()[0]) / 1e6
        async for record in records(kafka.bootstrap, TOPIC_PLAIN)
        if record.timestamp > began_ms
    ]


async def _opened(kafka: Kafka, began_ms: int) -> AsyncIterator[tuple[int, AlertV1]]:
    """Append time (ms) and alert of each first revision since `began_ms`."""
    async for record in records(kafka.bootstrap, TOPIC_ALERTS):
        alert = msgspec.json.decode(record.value, type=AlertV1)
        if alert.revision == 1 and record.timestamp > began_ms:
            yield record.timestamp, alert


def _grid() -> tuple[Sequence[Zone], Sequence[Rule]]:
    """Zones that tile the picture, a rule upon each: whoever walks fires one after the other."""
    zones, rules = [], []
    for column, row in product(range(COLUMNS), range(ROWS)):
        name = f"{column}-{row}"
        x1, x2, y1, y2 = column / COLUMNS, (column + 1) / COLUMNS, row / ROWS, (row + 1) / ROWS
        zones.append(Zone(name=name, polygon=((x1, y1), (x2, y1), (x2, y2), (x1, y2))))
        rule = Rule(
            name=name,
            kind=RuleKind.LOITERING,
            area=name,
            classes=frozenset({"person"}),
            dwell_s=0.3,
            cooldown_s=1.0,
        )
        rules.append(rule)
    return tuple(zones), tuple(rules)
