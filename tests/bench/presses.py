"""Key presses of 500 call boxes to Kafka, through real Mosquitto and our bridge: latency, throughput, losses.

Latency runs from the box's PUBLISH to the broker's time of appending, at 500 presses a second. Throughput is what is
acknowledged a second when each box presses again as soon as it has its `ack`, 5,000 a second in all at most; a press
whose `ack` never comes, repeats included, counts as lost.
"""

import asyncio
import contextlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from alerts.contract import TOPIC_ALERTS, AlertV1, Change
from devices.model import CallBox
from tests.bench.child import Child
from tests.bench.figure import Effort, Figure, Samples
from tests.bench.kafka_log import make_topic, records
from tests.bench.latency import Latencies, latency_figures
from tests.roles import RoleProcess, on_kafka, on_mosquitto, register
from tests.servers.kafka import Kafka
from tests.servers.mosquitto import Mosquitto
from tests.waiting import wait_until

BOXES = 500
LOADERS = 2
CALM_RATE, FULL_RATE = 500, 5000
TOPIC_PLAIN = "bench.plain"
LIMITS = "\nmax_inflight_messages 100\nmax_queued_messages 1000\n"
"""As compose/mosquitto sets them."""

END_S = 90
WORDS = (
    "`sharpeyes bridge`: duplicates found, alert and outbox on the disk, box acknowledged",
    "paho and aiokafka in a straight line: nothing found, kept or acknowledged",
)

Sent = dict[tuple[str, int], int]
Arrivals = dict[tuple[str, int], float]


class Broker(Mosquitto):
    """With the limits of the shipped configuration."""

    def prepare(self) -> None:
        super().prepare()
        with (self.folder / "mosquitto.conf").open("a") as conf:
            conf.write(LIMITS)


@dataclass(frozen=True, slots=True)
class Load:
    """What the boxes of one run did and heard. `sent` is ns by (box id, seq)."""

    sent: Sent
    unheard: int
    repeats: int
    took_s: float


@dataclass(frozen=True, slots=True)
class Servers:
    broker: Mosquitto
    kafka: Kafka


def measure(effort: Effort) -> list[Figure]:
    ours, theirs, our_rate, their_rate = Latencies(), Latencies(), [], []
    notes, losses = [], []
    for _ in range(effort.turns):
        theirs.add(plain_run(CALM_RATE, effort)[0])
        ours.add(bridge_run(CALM_RATE, effort)[0])
        _, rate, note = plain_run(FULL_RATE, effort)
        their_rate.append(rate)
        losses.append(note)
        _, rate, note = bridge_run(FULL_RATE, effort)
        our_rate.append(rate)
        notes.append(note)
    return [
        *latency_figures(f"key press to Kafka at {CALM_RATE} a second", ours, theirs, WORDS, ("", "<= 50")),
        Figure(
            what=f"presses a second of {BOXES} boxes, each with one under way",
            unit="presses/s",
            ours=Samples(what=WORDS[0], values=our_rate),
            baseline=Samples(what=WORDS[1], values=their_rate),
            goal="5,000, none lost",
            note=f"more is better; ours: {'; '.join(notes)}; baseline: {'; '.join(losses)}",
        ),
    ]


def bridge_run(rate: float, effort: Effort) -> tuple[list[float], float, str]:
    """Latencies in ms, presses acknowledged a second, and in words what became of all of them."""
    with servers() as running, tempfile.TemporaryDirectory(prefix="sharpeyes-bench-") as folder:
        asyncio.run(make_topic(running.kafka.bootstrap, TOPIC_ALERTS))
        register(Path(folder), None, *(_box(number) for number in range(BOXES)))
        settings = {**on_mosquitto(running.broker), **on_kafka(running.kafka), "log_level": "warning"}
        with RoleProcess("bridge", Path(folder), settings) as bridge:
            load = press(running.broker, rate, effort, hears_acks=True)
            wait_until(lambda: _is_all_published(bridge), END_S, "all revisions to be on Kafka")
        alerts = asyncio.run(_alerts(running.kafka))
    arrived = _arrivals_of_alerts(alerts)
    changes = Counter(change for _, change, _ in alerts)
    said = (
        f"{len(load.sent):,} pressed, {load.unheard} lost, {load.repeats} repeats, "
        f"{changes[Change.OPENED]:,} calls opened and {changes[Change.CLOSED]:,} closed on Kafka"
    )
    return _latencies(load.sent, arrived), (len(load.sent) - load.unheard) / load.took_s, said


def plain_run(rate: float, effort: Effort) -> tuple[list[float], float, str]:
    """Latencies in ms, records a second from the first press to the last record, and how many never came."""
    with servers() as running:
        asyncio.run(make_topic(running.kafka.bootstrap, TOPIC_PLAIN))
        address = (running.broker.host, running.broker.port, running.kafka.bootstrap, TOPIC_PLAIN)
        with Child("bare_bridge", *address):
            load = press(running.broker, rate, effort, hears_acks=False)
            arrived = asyncio.run(_settled(running.kafka))
    took_ms = max(arrived.values()) - min(load.sent.values()) / 1e6
    lost = len(load.sent) - len(arrived)
    return _latencies(load.sent, arrived), len(arrived) / took_ms * 1000, f"{lost:,} of {len(load.sent):,} lost"


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    with Broker() as broker, Kafka() as kafka:
        yield Servers(broker, kafka)


def press(broker: Mosquitto, rate: float, effort: Effort, *, hears_acks: bool) -> Load:
    """Let the boxes press for a window, shared by LOADERS processes; returns when all is heard or given up."""
    each = BOXES // LOADERS
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        outs = [Path(folder) / f"{number}.json" for number in range(LOADERS)]
        for number, out in enumerate(outs):
            given = (number * each, each, rate / LOADERS, effort.window_s, int(hears_acks), out)
            running.enter_context(Child("press_load", broker.host, broker.port, *given))
        wait_until(lambda: all(out.exists() for out in outs), effort.window_s + END_S, "the boxes to be done")
        summaries = [wait_until(_reader(out), END_S, "what the boxes have heard") for out in outs]
    sent = {(f"box-{box}", seq): at for summary in summaries for box, seq, at in summary["sent_ns"]}
    return Load(
        sent,
        sum(summary["unheard"] for summary in summaries),
        sum(summary["repeats"] for summary in summaries),
        max(summary["took_s"] for summary in summaries),
    )


def _reader(out: Path) -> Callable[[], dict[str, Any]]:
    """Reads a summary; empty until it is whole."""

    def read() -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(out.read_text())
        except ValueError:
            return {}
        return found

    return read


def _latencies(sent: Sent, arrived: Arrivals) -> list[float]:
    return [at_ms - sent[press] / 1e6 for press, at_ms in arrived.items() if press in sent]


async def _alerts(kafka: Kafka) -> list[tuple[float, Change, str]]:
    """Append time in ms, change and box of each revision that a press makes, in the log's order."""
    found: list[tuple[float, Change, str]] = []
    async for record in records(kafka.bootstrap, TOPIC_ALERTS):
        alert = msgspec.json.decode(record.value, type=AlertV1)
        if alert.change in (Change.OPENED, Change.CLOSED):
            found.append((float(record.timestamp), alert.change, alert.device_id))
    return found


def _arrivals_of_alerts(alerts: list[tuple[float, Change, str]]) -> Arrivals:
    """A box presses green and red in turns, so its n-th opened or closed is its n-th press, while none is repeated."""
    seqs: dict[str, int] = defaultdict(int)
    arrived: Arrivals = {}
    for at_ms, _, box_id in alerts:
        seqs[box_id] += 1
        arrived[box_id, seqs[box_id]] = at_ms
    return arrived


async def _settled(kafka: Kafka) -> Arrivals:
    """What the bare bridge has forwarded, once no more comes."""
    arrived: Arrivals = {}
    while True:
        found = {
            (record.key.decode(), json.loads(record.value)["seq"]): float(record.timestamp)
            async for record in records(kafka.bootstrap, TOPIC_PLAIN)
        }
        if found and len(found) == len(arrived):
            return found
        arrived = found
        await asyncio.sleep(1)


def _box(number: int) -> CallBox:
    return CallBox(callbox_id=f"box-{number}", name=f"Box {number}", site_id="village")


def _is_all_published(bridge: RoleProcess) -> bool:
    """Whether every revision that was committed has been published."""
    counts: dict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(bridge.metrics()):
        for sample in family.samples:
            if sample.labels.get("topic", TOPIC_ALERTS) == TOPIC_ALERTS:
                counts[sample.name] += sample.value
    return counts["sharpeyes_alert_revisions_total"] == counts["sharpeyes_published_total"]
