import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av
import pytest

from analytics import decode_pool
from analytics.decode_pool import REST_S, DecodePool
from ingest.camera_errors import Problem, ProblemCode
from ingest.decode_policy import Decoded, Mode
from ingest.packet import Frame, Stamp
from runtime import metrics
from runtime.clock import FakeClock
from tests.waiting import wait_until

GARBAGE = Problem(ProblemCode.GARBAGE)


class Policy:
    """Has `waiting` steps of work; each gives one frame."""

    def __init__(self, camera_id: str, steps: list[str], waiting: int, mode: Mode = Mode.ACTIVE) -> None:
        self.waiting = waiting
        self.mode = mode
        self.problem: Problem | None = None
        self.skipped = 0
        self.fails = False
        self._camera_id = camera_id
        self._steps = steps

    def step(self) -> list[Decoded]:
        self.waiting -= 1
        self._steps.append(self._camera_id)
        if self.fails:
            raise ZeroDivisionError
        frame = Frame(Stamp(self._camera_id, len(self._steps), 1), av.VideoFrame(16, 16, "yuv420p"))
        return [(frame, self.mode)]


class Inference:
    """Notes what it is offered; is occupied when told."""

    def __init__(self) -> None:
        self.offered: list[str] = []
        self.occupied: set[str] = set()

    def offer(self, camera_id: str, frame: Frame, mode: Mode) -> None:
        self.offered.append(camera_id)

    def is_occupied(self, camera_id: str) -> bool:
        return camera_id in self.occupied


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def inference() -> Inference:
    return Inference()


@contextmanager
def decoding(
    inference: Inference, *policies: tuple[str, Policy], clock: FakeClock | None = None
) -> Iterator[DecodePool]:
    """One thread over the policies, started after all are there."""
    pool = DecodePool(1, inference, clock or FakeClock())  # type: ignore[arg-type]  # the part it uses
    for camera_id, policy in policies:
        pool.add(camera_id, policy, lambda problem: None)  # type: ignore[arg-type]  # the part it uses
    pool.start()
    yield pool
    pool.stop()


def test_cameras_take_turns(inference: Inference, steps: list[str]) -> None:
    cameras = [(name, Policy(name, steps, 3)) for name in "abc"]
    with decoding(inference, *cameras):
        wait_until(lambda: len(inference.offered) == 9)
    assert steps == list("abcabcabc")


def test_a_camera_that_looks_back_waits_for_its_frames_and_a_live_one_does_not(
    inference: Inference, steps: list[str]
) -> None:
    inference.occupied = {"back", "live"}
    back, live = Policy("back", steps, 1, Mode.LOOK_BACK), Policy("live", steps, 5)
    with decoding(inference, ("back", back), ("live", live)):
        wait_until(lambda: not live.waiting)
        assert back.waiting == 1
        inference.occupied.clear()
        wait_until(lambda: not back.waiting)


def test_a_policy_that_raises_rests_and_the_others_go_on(inference: Inference, steps: list[str]) -> None:
    clock = FakeClock()
    bad, good = Policy("bad", steps, 5), Policy("good", steps, 5)
    bad.fails = True
    with decoding(inference, ("bad", bad), ("good", good), clock=clock):
        wait_until(lambda: not good.waiting)
        assert steps.count("bad") == 1
        bad.fails = False
        clock.advance(REST_S + 0.1)
        wait_until(lambda: not bad.waiting)


def test_decoding_that_fails_is_told_until_the_next_frame_and_floods_no_log(
    inference: Inference, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, told, tracebacks = FakeClock(), [], []
    log = type("Log", (), {"error": lambda self, event, **fields: tracebacks.append(fields["exc_info"])})
    monkeypatch.setattr(decode_pool, "_log", log())
    policy, pool = Policy("a", steps, 4), DecodePool(1, inference, clock)  # type: ignore[arg-type]  # the part it uses
    policy.fails = True
    pool.add("a", policy, told.append)  # type: ignore[arg-type]  # the part it uses
    pool.start()
    for failures in (1, 2, 3):
        wait_until(lambda failures=failures: len(tracebacks) == failures)  # type: ignore[misc]
        policy.fails = failures < 3
        clock.advance(REST_S + 0.1)
    wait_until(lambda: told[-1] is None)
    pool.stop()
    assert [problem and (problem.code, problem.detail) for problem in told] == [
        (ProblemCode.INTERNAL, "ZeroDivisionError"),
        None,
    ]
    assert [error is not None for error in tracebacks] == [True, False, False]


def test_a_removed_camera_is_left_alone(inference: Inference, steps: list[str]) -> None:
    gone, here = Policy("gone", steps, 0), Policy("here", steps, 0)
    with decoding(inference, ("gone", gone), ("here", here)) as pool:
        pool.remove("gone")
        gone.waiting = here.waiting = 2
        wait_until(lambda: not here.waiting)
    assert "gone" not in steps


def test_a_camera_is_removed_only_when_its_step_at_hand_has_ended(inference: Inference, steps: list[str]) -> None:
    inside, may_go = threading.Event(), threading.Event()

    class Held(Policy):
        def step(self) -> list[Decoded]:
            inside.set()
            assert may_go.wait(10)
            return super().step()

    with decoding(inference, ("a", Held("a", steps, 1))) as pool:
        wait_until(inside.is_set)
        removal = threading.Thread(target=pool.remove, args=("a",))
        removal.start()
        wait_until(lambda: not pool._turns)
        assert removal.is_alive()
        may_go.set()
        removal.join(10)
        assert steps == ["a"]
    assert inference.offered == []


def test_packets_that_a_camera_had_to_pass_over_are_counted_once(inference: Inference, steps: list[str]) -> None:
    policy = Policy("slow", steps, 3)
    policy.skipped = 7
    counted = metrics.packets_skipped.labels("slow")
    with decoding(inference, ("slow", policy)):
        wait_until(lambda: not policy.waiting)
    assert counted._value.get() == 7


def test_a_problem_of_the_bitstream_is_told_on_changes_only(inference: Inference, steps: list[str]) -> None:
    policy, told, pool = Policy("a", steps, 0), [], DecodePool(1, inference, FakeClock())  # type: ignore[arg-type]
    heard = threading.Event()

    def hear(problem: Problem | None) -> None:
        told.append(problem)
        heard.set()

    pool.add("a", policy, hear)  # type: ignore[arg-type]  # the part it uses
    pool.start()
    for problem in (GARBAGE, None):
        policy.problem = problem
        policy.waiting = 4
        wait_until(lambda: not policy.waiting)
        wait_until(heard.is_set)
        heard.clear()
    pool.stop()
    assert told == [GARBAGE, None]
