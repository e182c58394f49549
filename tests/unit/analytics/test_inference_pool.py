import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import pytest

from analytics.camera_pipeline import FrameResult, nothing_detected, nothing_tracked
from analytics.inference_pool import InferencePool
from ingest.decode_policy import Mode
from ingest.packet import Frame, Stamp
from runtime import metrics
from runtime.clock import FakeClock
from tests.waiting import wait_until


def frame(camera_id: str, seq: int) -> Frame:
    return Frame(Stamp(camera_id, seq, seq + 1), av.VideoFrame(16, 16, "yuv420p"))


class Pipeline:
    """Processes when it is let, and notes what it got and whether two threads were ever inside."""

    def __init__(self, order: list[tuple[str, int]], *, held: bool = False) -> None:
        self.may_go = threading.Event()
        if not held:
            self.may_go.set()
        self.is_inside = threading.Event()
        self.overlapped = False
        self._order = order

    def process(self, frame: Frame, mode: Mode = Mode.ACTIVE) -> FrameResult:
        self.overlapped |= self.is_inside.is_set()
        self.is_inside.set()
        assert self.may_go.wait(10)
        self._order.append((frame.stamp.camera_id, frame.stamp.seq))
        self.is_inside.clear()
        return self.pass_time(frame.stamp)

    def pass_time(self, stamp: Stamp) -> FrameResult:
        return FrameResult(nothing_detected(stamp), nothing_tracked(stamp), [])


class Broken(Pipeline):
    def process(self, frame: Frame, mode: Mode = Mode.ACTIVE) -> FrameResult:
        super().process(frame, mode)
        raise ZeroDivisionError


@pytest.fixture
def order() -> list[tuple[str, int]]:
    return []


@contextmanager
def running(threads: int = 1) -> Iterator[InferencePool]:
    pool = InferencePool(threads, FakeClock())
    pool.start()
    yield pool
    pool.stop()


def add(pool: InferencePool, camera_id: str, pipeline: Pipeline) -> None:
    pool.add(camera_id, pipeline, lambda frame, result: None)  # type: ignore[arg-type]  # the part it uses


def test_the_latest_live_frame_wins_and_the_loss_is_counted(order: list[tuple[str, int]]) -> None:
    lost = metrics.frames_dropped.labels("latest")
    before = lost._value.get()
    with running() as pool:
        pipeline = Pipeline(order, held=True)
        add(pool, "latest", pipeline)
        pool.offer("latest", frame("latest", 0), Mode.ACTIVE)
        wait_until(pipeline.is_inside.is_set)
        for seq in (1, 2, 3):
            pool.offer("latest", frame("latest", seq), Mode.ACTIVE)
        pipeline.may_go.set()
        wait_until(lambda: len(order) == 2)
    assert order == [("latest", 0), ("latest", 3)]
    assert lost._value.get() - before == 2


def test_only_live_frames_count_for_the_latency(order: list[tuple[str, int]]) -> None:
    before = metrics.detect_latency._sum.get()
    with running() as pool:
        add(pool, "a", Pipeline(order))
        pool.offer("a", frame("a", 0), Mode.LOOK_BACK)
        wait_until(lambda: len(order) == 1)
    assert metrics.detect_latency._sum.get() == before
    with running() as pool:
        add(pool, "a", Pipeline(order))
        pool.offer("a", frame("a", 1), Mode.ACTIVE)
        wait_until(lambda: len(order) == 2)
    assert metrics.detect_latency._sum.get() > before


def test_looked_back_frames_all_wait_in_order(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        pipeline = Pipeline(order, held=True)
        add(pool, "a", pipeline)
        for seq in range(5):
            pool.offer("a", frame("a", seq), Mode.LOOK_BACK)
        assert pool.is_occupied("a")
        pipeline.may_go.set()
        wait_until(lambda: len(order) == 5)
        assert not pool.is_occupied("a")
    assert order == [("a", seq) for seq in range(5)]


def test_cameras_take_turns(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        first = Pipeline(order, held=True)
        add(pool, "a", first)
        add(pool, "b", Pipeline(order))
        for seq in range(3):
            pool.offer("a", frame("a", seq), Mode.LOOK_BACK)
        wait_until(first.is_inside.is_set)
        for seq in range(3):
            pool.offer("b", frame("b", seq), Mode.LOOK_BACK)
        first.may_go.set()
        wait_until(lambda: len(order) == 6)
    assert order == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_one_camera_s_frames_never_run_at_once(order: list[tuple[str, int]]) -> None:
    with running(threads=4) as pool:
        pipeline = Pipeline(order)
        add(pool, "a", pipeline)
        for seq in range(50):
            pool.offer("a", frame("a", seq), Mode.LOOK_BACK)
        wait_until(lambda: len(order) == 50)
    assert not pipeline.overlapped
    assert order == [("a", seq) for seq in range(50)]


def test_a_slow_camera_does_not_hold_up_another_while_a_thread_is_free(order: list[tuple[str, int]]) -> None:
    with running(threads=2) as pool:
        slow = Pipeline(order, held=True)
        add(pool, "slow", slow)
        add(pool, "quick", Pipeline(order))
        pool.offer("slow", frame("slow", 0), Mode.ACTIVE)
        wait_until(slow.is_inside.is_set)
        pool.offer("quick", frame("quick", 0), Mode.ACTIVE)
        wait_until(lambda: order == [("quick", 0)])
        slow.may_go.set()


def test_a_pipeline_that_raises_costs_its_own_frame_alone(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        add(pool, "bad", Broken(order))
        add(pool, "good", Pipeline(order))
        for seq in range(2):
            pool.offer("bad", frame("bad", seq), Mode.LOOK_BACK)
            pool.offer("good", frame("good", seq), Mode.LOOK_BACK)
        wait_until(lambda: len(order) == 4)


def test_a_removed_camera_gets_nothing_more(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        pipeline = Pipeline(order, held=True)
        results: list[object] = []
        pool.add("a", pipeline, lambda frame, result: results.append(result))  # type: ignore[arg-type]  # the part it uses
        pool.offer("a", frame("a", 0), Mode.ACTIVE)
        wait_until(pipeline.is_inside.is_set)
        pool.offer("a", frame("a", 1), Mode.ACTIVE)
        pool.remove("a")
        pipeline.may_go.set()
        pool.offer("a", frame("a", 2), Mode.ACTIVE)
    assert order == [("a", 0)]
    assert results == []


def test_frames_of_an_unknown_camera_are_left_out() -> None:
    with running() as pool:
        pool.offer("nobody", frame("nobody", 0), Mode.ACTIVE)
        pool.let_pass(Stamp("nobody", 0, 1))
        assert not pool.is_occupied("nobody")


def test_time_passes_only_when_no_frame_waits(order: list[tuple[str, int]]) -> None:
    passed: list[Stamp] = []
    with running() as pool:
        pipeline = Pipeline(order)
        done = threading.Event()

        def take(frame: Frame | None, result: FrameResult) -> None:
            if frame is None:
                passed.append(result.detections.stamp)
                done.set()

        pool.add("a", pipeline, take)  # type: ignore[arg-type]  # the part it uses
        pool.let_pass(Stamp("a", 0, 77))
        wait_until(done.is_set)
    assert [stamp.t_ns for stamp in passed] == [77]
