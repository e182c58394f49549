"""A camera's parts end together, and a stop of the role that comes meanwhile is not swallowed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from analytics.camera_pipeline import FrameResult, nothing_detected, nothing_tracked
from analytics.camera_unit import SILENCE_S, CameraServices, CameraUnit, OnFound
from analytics.decode_pool import DecodePool
from analytics.inference_pool import InferencePool
from ingest.packet import Frame, Stamp
from ingest.recorder import Recorder
from ingest.settings import CameraSettings
from ingest.spool import Spool
from models.detections import Detections
from runtime import metrics
from runtime.clock import NS_PER_S, FakeClock
from tests.registry_records import camera
from tests.unit.analytics.test_camera_alerts import event, frame
from tests.waiting import eventually


class NoDetector:
    """Is never asked: no frame comes."""

    class_names: tuple[str, ...] = ("person",)
    thresholds: Mapping[str, float] = {"person": 0.5}

    def detect(self, frame: Frame, min_score: float | None = None) -> Detections:
        raise AssertionError


@pytest.fixture
def inference() -> InferencePool:
    return InferencePool(1, FakeClock())


def unit_on(
    inference: InferencePool,
    tmp_path: Path,
    spawn: Callable[[str, Callable[[], Awaitable[None]]], "asyncio.Task[None]"],
    clock: FakeClock | None = None,
    on_found: OnFound = lambda _camera, _frame, _result: None,
) -> CameraUnit:
    clock = clock or FakeClock()
    services = CameraServices(
        settings=CameraSettings(),
        clock=clock,
        spawn=spawn,
        decode=DecodePool(1, inference, clock),
        inference=inference,
        recorder=Recorder(Spool(tmp_path / "spool", 1 << 30, 0), CameraSettings(), clock),
        on_condition=lambda _camera, _condition: None,
        on_found=on_found,
    )
    return CameraUnit(camera("east"), NoDetector(), services)


def result(t_ns: int, *starts_ns: int) -> FrameResult:
    stamp = Stamp("east", 0, t_ns)
    return FrameResult(nothing_detected(stamp), nothing_tracked(stamp), [event(start_ns) for start_ns in starts_ns])


async def test_a_renamed_camera_goes_on_and_its_new_alerts_have_the_new_name(
    inference: InferencePool, tmp_path: Path
) -> None:
    names: list[str] = []
    unit = unit_on(
        inference,
        tmp_path,
        lambda _name, _work: asyncio.create_task(asyncio.sleep(3600)),
        on_found=lambda camera, _frame, _result: names.append(camera.name),
    )
    unit.start()
    unit._found(frame(1), result(1, 1))
    unit.rename(replace(camera("east"), name="West gate"))
    unit._found(frame(2), result(2, 2))
    assert names == ["Camera east", "West gate"]
    await unit.close()


async def test_only_silence_lets_time_pass_and_not_a_host_s_clock_that_is_set(
    inference: InferencePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, passed = FakeClock(), []
    monkeypatch.setattr(inference, "let_pass", lambda stamp: passed.append(stamp.t_ns))
    tasks: list[asyncio.Task[None]] = []

    def spawn(name: str, work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        tasks.append(asyncio.ensure_future(work() if name.startswith("silence") else asyncio.sleep(3600)))  # type: ignore[arg-type]
        return tasks[-1]

    async def go_on(duration_s: float) -> None:
        await eventually(lambda: clock.sleepers == 1)
        clock.advance(duration_s)
        await eventually(lambda: clock.sleepers == 1)

    unit = unit_on(inference, tmp_path, spawn, clock)
    unit.start()
    await go_on(SILENCE_S)
    frame_ns = clock.now_ns()
    unit._found(frame(frame_ns), result(frame_ns))
    clock.jump_wall(3600)
    await go_on(SILENCE_S)
    assert passed == []
    clock.jump_wall(-7200)
    await go_on(SILENCE_S)
    assert passed == [frame_ns + round(SILENCE_S * NS_PER_S)]
    await unit.close()


async def test_closing_ends_all_tasks_and_takes_no_more_frames(inference: InferencePool, tmp_path: Path) -> None:
    tasks: list[asyncio.Task[None]] = []

    def spawn(name: str, _work: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        tasks.append(asyncio.create_task(asyncio.sleep(3600), name=name))
        return tasks[-1]

    unit = unit_on(inference, tmp_path, spawn)
    unit.start()
    await unit.close()
    assert sorted(task.get_name() for task in tasks) == ["receiver-east", "silence-east"]
    assert all(task.cancelled() for task in tasks)
    inference.let_pass(Stamp("east", 0, 1))
    assert not inference.is_occupied("east")


async def test_a_closed_camera_leaves_no_series_behind(inference: InferencePool, tmp_path: Path) -> None:
    unit = unit_on(inference, tmp_path, lambda _name, _work: asyncio.create_task(asyncio.sleep(3600)))
    unit.start()
    for camera_id in ("east", "west"):
        metrics.ring_bytes.labels(camera_id, "main").set(1)
        metrics.frames_decoded.labels(camera_id, "watch").inc()
        metrics.events_found.labels(camera_id, "zone_entered").inc()
    await unit.close()
    series = generate_latest().decode()
    assert 'camera="west"' in series
    assert 'camera="east"' not in series


async def test_a_stop_that_comes_while_a_camera_closes_is_not_swallowed(
    inference: InferencePool, tmp_path: Path
) -> None:
    may_end = asyncio.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await may_end.wait()

    unit = unit_on(inference, tmp_path, lambda _name, _work: asyncio.create_task(linger()))
    unit.start()
    await asyncio.sleep(0)
    closing = asyncio.create_task(unit.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    may_end.set()
