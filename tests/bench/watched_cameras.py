"""A worker with cameras of the tests' RTSP server, for benches: registered, started, waited for until it is steady."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from devices.model import Camera, PlaceType, Purpose, RecordingMode
from tests.roles import RoleProcess, register
from tests.servers.rtsp import RtspServer
from tests.waiting import wait_until

SEGMENT_S = 10
"""Shorter than the default of a minute, so that every window holds whole segments, ours and the baseline's."""

START_S = 60
SETTLE_LIMIT_S = 120
POLL_S = 0.5


def camera(number: int, url: str, **fields: object) -> Camera:
    """A camera that records continuously unless told otherwise."""
    known = {"recording": RecordingMode.CONTINUOUS, **fields}
    return Camera(
        camera_id=f"cam-{number}",
        name=f"Camera {number}",
        site_id="village",
        main_url=url,
        purpose=Purpose.PUBLIC_SAFETY,
        place_type=PlaceType.ROAD,
        **known,  # type: ignore[arg-type]  # the fields of a camera, by name
    )


def cameras(server: RtspServer, count: int, mount: str, sub_mount: str | None = None, **fields: object) -> list[Camera]:
    """`count` cameras on sources of their own."""
    return [
        camera(
            number,
            server.url(f"{mount}-{number}"),
            sub_url=server.url(f"{sub_mount}-{number}") if sub_mount else None,
            **fields,
        )
        for number in range(1, count + 1)
    ]


@contextlib.contextmanager
def running_worker(
    watched: Sequence[Camera], settings: Mapping[str, object] | None = None, settle_s: float = 0.0
) -> Iterator[RoleProcess]:
    """`sharpeyes worker` on a fresh data folder, after its cameras have sent and `settle_s` has passed."""
    with tempfile.TemporaryDirectory(prefix="sharpeyes-bench-") as folder:
        register(Path(folder), None, *watched)
        known = {"segment_s": SEGMENT_S, "log_level": "warning", **(settings or {})}
        with RoleProcess("worker", Path(folder), known) as worker:
            await_decoded(worker, watched)
            time.sleep(settle_s)
            yield worker


def await_decoded(worker: RoleProcess, watched: Sequence[Camera]) -> None:
    """Until a frame of every camera was decoded."""
    wanted = {one.camera_id for one in watched}
    wait_until(
        lambda: wanted <= set(by_camera(worker, "sharpeyes_frames_decoded_total")),
        START_S,
        f"the first frames of {len(wanted)} cameras",
    )


def await_quiet(worker: RoleProcess, quiet_s: float) -> None:
    """Until no camera had more than key frames decoded for `quiet_s`: all of them have learned that nothing moves."""
    last_count, since_s, deadline_s = -1.0, time.monotonic(), time.monotonic() + SETTLE_LIMIT_S
    while time.monotonic() - since_s < quiet_s:
        assert time.monotonic() < deadline_s, f"cameras of a still scene were not quiet after {SETTLE_LIMIT_S} s"
        count = frames_beyond_watching(worker)
        if count != last_count:
            last_count, since_s = count, time.monotonic()
        time.sleep(POLL_S)


def frames_beyond_watching(worker: RoleProcess) -> float:
    """How many frames were decoded because something seemed to move."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(worker.metrics())
        for sample in family.samples
        if sample.name == "sharpeyes_frames_decoded_total" and sample.labels["mode"] != "watch"
    )


def by_camera(worker: RoleProcess, metric: str) -> dict[str, float]:
    """A counter's value for each camera, other labels added up."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(worker.metrics()):
        for sample in family.samples:
            if sample.name == metric and "camera" in sample.labels:
                found[sample.labels["camera"]] = found.get(sample.labels["camera"], 0.0) + sample.value
    return found
