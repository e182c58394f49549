import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import av
import pytest

from analytics import inference_pool
from analytics.camera_pipeline import FrameResult, nothing_detected, nothing_tracked
from analytics.events import Event
from analytics.inference_pool import REST_S, InferencePool
from ingest.camera_errors import Problem, ProblemCode
from ingest.decode_policy import Mode
from ingest.packet import Frame, Stamp
from runtime import metrics
from runtime.clock import FakeClock
from tests.unit.analytics.test_camera_alerts import event
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

    def finish(self) -> list[Event]:
        return [event(3, end_ns=5)]


class Broken(Pipeline):
    """Fails at each frame until it is mended."""

    is_mended = False

    def process(self, frame: Frame, mode: Mode = Mode.ACTIVE) -> FrameResult:
        result = super().process(frame, mode)
        if not self.is_mended:
            raise ZeroDivisionError
        return result


@pytest.fixture
def order() -> list[tuple[str, int]]:
    return []


@contextmanager
def running(threads: int = 1, clock: FakeClock | None = None) -> Iterator[InferencePool]:
    pool = InferencePool(threads, clock or FakeClock())
    pool.start()
    yield pool
    pool.stop()


def add(
    pool: InferencePool,
    camera_id: str,
    pipeline: Pipeline,
    on_result: Callable[[Frame | None, FrameResult], None] = lambda frame, result: None,
    on_problem: Callable[[Problem | None], None] = lambda problem: None,
) -> None:
    pool.add(camera_id, pipeline, on_result, on_problem)  # type: ignore[arg-type]  # the part it uses


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


def test_a_pipeline_that_raises_rests_and_the_other_cameras_go_on(order: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    with running(clock=clock) as pool:
        add(pool, "bad", Broken(order))
        add(pool, "good", Pipeline(order))
        for seq in range(3):
            pool.offer("bad", frame("bad", seq), Mode.LOOK_BACK)
            pool.offer("good", frame("good", seq), Mode.LOOK_BACK)
        wait_until(lambda: order.count(("good", 2)) == 1)
        assert [name for name, _ in order].count("bad") == 1
        assert pool.is_occupied("bad"), "nobody decodes further for a camera that rests"
        clock.advance(REST_S)
        pool.offer("bad", frame("bad", 3), Mode.LOOK_BACK)
        wait_until(lambda: ("bad", 3) in order)


def test_analysis_that_fails_is_told_until_the_next_good_frame_and_floods_no_log(
    order: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracebacks: list[object] = []
    told: list[Problem | None] = []
    log = type("Log", (), {"error": lambda self, event, **fields: tracebacks.append(fields["exc_info"])})
    monkeypatch.setattr(inference_pool, "_log", log())
    clock, pipeline = FakeClock(), Broken(order)
    with running(clock=clock) as pool:
        add(pool, "a", pipeline, on_problem=told.append)
        for seq in range(4):
            pipeline.is_mended = seq == 3
            pool.offer("a", frame("a", seq), Mode.ACTIVE)
            wait_until(lambda seq=seq: len(tracebacks) == min(seq + 1, 3) and len(order) == seq + 1)  # type: ignore[misc]
            wait_until(lambda seq=seq: seq == 3 or pool.is_occupied("a"))  # type: ignore[misc]
            clock.advance(REST_S)
        wait_until(lambda: told[-1] is None)
    assert [problem and (problem.code, problem.detail) for problem in told] == [
        (ProblemCode.ANALYSIS_FAILED, "ZeroDivisionError"),
        None,
    ]
    assert [error is not None for error in tracebacks] == [True, False, False]


def test_a_frame_that_was_only_watched_does_not_make_a_failing_camera_well(order: list[tuple[str, int]]) -> None:
    told: list[Problem | None] = []
    clock, pipeline = FakeClock(), Broken(order)
    with running(clock=clock) as pool:
        add(pool, "a", pipeline, on_problem=told.append)
        pool.offer("a", frame("a", 0), Mode.ACTIVE)
        wait_until(lambda: bool(told))
        clock.advance(REST_S)
        pool.let_pass(Stamp("a", 0, 9))
        wait_until(lambda: not pool.is_occupied("a"))
    assert len(told) == 1


def test_a_removed_camera_gets_nothing_more(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        pipeline = Pipeline(order, held=True)
        results: list[FrameResult] = []
        add(pool, "a", pipeline, lambda frame, result: results.append(result))
        pool.offer("a", frame("a", 0), Mode.ACTIVE)
        wait_until(pipeline.is_inside.is_set)
        pool.offer("a", frame("a", 1), Mode.ACTIVE)
        pool.remove("a")
        pipeline.may_go.set()
        pool.offer("a", frame("a", 2), Mode.ACTIVE)
    assert order == [("a", 0)]
    assert [found.end_ns for result in results for found in result.events] == [5], "no new event, and the end of each"


def test_a_removed_camera_s_events_end_after_its_last_frame(order: list[tuple[str, int]]) -> None:
    with running() as pool:
        pipeline = Pipeline(order, held=True)
        ends: list[tuple[int | None, int]] = []
        add(pool, "a", pipeline, lambda _, result: ends.extend((e.end_ns, len(order)) for e in result.events))
        pool.offer("a", frame("a", 0), Mode.ACTIVE)
        wait_until(pipeline.is_inside.is_set)
        pool.remove("a")
        assert ends == []
        pipeline.may_go.set()
        wait_until(lambda: bool(ends))
    assert ends == [(5, 1)]


def test_a_camera_removed_in_a_frame_that_fails_still_has_its_events_ended(order: list[tuple[str, int]]) -> None:
    ends: list[int | None] = []
    with running() as pool:
        pipeline = Broken(order, held=True)
        add(pool, "a", pipeline, lambda _, result: ends.extend(e.end_ns for e in result.events))
        pool.offer("a", frame("a", 0), Mode.ACTIVE)
        wait_until(pipeline.is_inside.is_set)
        pool.remove("a")
        pipeline.may_go.set()
        wait_until(lambda: ends == [5])


def test_a_pool_that_stops_still_ends_the_events_of_removed_cameras(order: list[tuple[str, int]]) -> None:
    ends: list[int | None] = []
    with running() as pool:
        busy = Pipeline(order, held=True)
        add(pool, "busy", busy)
        add(pool, "a", Pipeline(order), lambda _, result: ends.extend(e.end_ns for e in result.events))
        pool.offer("busy", frame("busy", 0), Mode.ACTIVE)
        wait_until(busy.is_inside.is_set)
        pool.offer("busy", frame("busy", 1), Mode.LOOK_BACK)
        pool.remove("a")
        stopping = threading.Thread(target=pool.stop)
        stopping.start()
        wait_until(lambda: pool._is_stopping)
        busy.may_go.set()
        stopping.join(10)
    assert ends == [5]
    assert order == [("busy", 0)], "what else waits is dropped"


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

        add(pool, "a", pipeline, take)
        pool.let_pass(Stamp("a", 0, 77))
        wait_until(done.is_set)
    assert [stamp.t_ns for stamp in passed] == [77]
