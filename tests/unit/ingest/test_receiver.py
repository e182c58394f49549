"""The receiver: sessions one after the other, growing pauses, what people are told."""

import asyncio
import random

import pytest

from alerts.contract import DeviceCondition
from ingest.camera_errors import CameraError, Problem, ProblemCode
from ingest.condition import Condition
from ingest.packet import Codec, StreamInfo
from ingest.receiver import STEADY_AFTER_S, UNSTABLE_AFTER, CameraReceiver
from ingest.ring import PacketRing
from ingest.session import Session, SessionListener
from runtime import metrics
from runtime.backoff import Backoff
from runtime.clock import FakeClock
from tests.waiting import eventually

INFO = StreamInfo(Codec.H264, 640, 360, b"")


class ScriptedSession:
    """Does what the test says, from the test's own thread."""

    def __init__(self) -> None:
        self.listener: SessionListener | None = None
        self.is_stopped = False

    def start(self, listener: SessionListener) -> None:
        self.listener = listener

    def stop(self) -> None:
        self.is_stopped = True

    def send(self, packets: int) -> None:
        assert self.listener
        self.listener.opened(INFO)
        for number in range(packets):
            self.listener.packet(number * 3600, number % 25 == 0, b"x" * 100)

    def end(self, code: ProblemCode | None) -> None:
        assert self.listener
        self.listener.ended(CameraError(code) if code else None)


class Rig:
    """A receiver, its sessions, its clock and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sessions: list[ScriptedSession] = []
        self.told: list[Condition] = []
        self.ring = PacketRing(10.0, 1 << 20)
        self.receiver = CameraReceiver(
            "cam",
            self._open,
            self.ring,
            clock=self.clock,
            on_condition=self.told.append,
            backoff=Backoff(rng=random.Random(1)),
        )

    def _open(self) -> Session:
        self.sessions.append(ScriptedSession())
        return self.sessions[-1]

    async def session(self, number: int) -> ScriptedSession:
        await eventually(lambda: len(self.sessions) > number and self.sessions[number].listener is not None)
        return self.sessions[number]

    async def told_code(self, code: str) -> Condition:
        await eventually(lambda: bool(self.told) and self.told[-1].code == code, what=f"condition {code}")
        return self.told[-1]

    async def paused(self) -> None:
        """Wait until the newest session is over and the pause after it has begun."""
        await eventually(lambda: self.sessions[-1].is_stopped and self.clock.sleepers == 1)

    async def next_session(self) -> ScriptedSession:
        """Let the pause pass, however long it is."""
        number = len(self.sessions)
        for _ in range(100):
            self.clock.advance(1.0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if len(self.sessions) > number:
                return await self.session(number)
        raise AssertionError("no further session")


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def with_run(rig: Rig) -> asyncio.Task[None]:
    task = asyncio.create_task(rig.receiver.run())
    await rig.session(0)
    return task


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_packets_reach_the_ring_and_the_camera_is_online_since_then(rig: Rig) -> None:
    task = await with_run(rig)
    since_ns = rig.clock.now_ns()
    rig.sessions[0].send(50)
    told = await rig.told_code("online")
    assert (told.condition, told.since_ns) == (DeviceCondition.ONLINE, since_ns)
    assert rig.ring.head == 50
    rig.sessions[0].end(None)
    await cancelled(task)


async def test_a_session_that_fails_tells_why_and_is_tried_again_after_a_pause(rig: Rig) -> None:
    task = await with_run(rig)
    rig.sessions[0].end(ProblemCode.LOGIN_REFUSED)
    told = await rig.told_code("login_refused")
    assert told.condition is DeviceCondition.OFFLINE
    assert "密码" in told.reason.zh
    assert "password" in told.reason.en
    assert len(rig.sessions) == 1, "not before the pause is over"
    await rig.next_session()
    rig.sessions[1].end(None)
    await cancelled(task)


async def test_the_same_trouble_again_is_told_once(rig: Rig) -> None:
    task = await with_run(rig)
    for number in range(5):
        rig.sessions[number].end(ProblemCode.UNREACHABLE)
        await rig.paused()
        await rig.next_session()
    assert [told.code for told in rig.told] == ["unreachable"]
    rig.sessions[-1].end(None)
    await cancelled(task)


async def test_a_camera_that_reconnects_for_ever_costs_ever_longer_pauses_and_is_called_unstable(rig: Rig) -> None:
    task = await with_run(rig)
    pauses_s = []
    for number in range(10):
        rig.sessions[number].send(30)
        rig.sessions[number].end(ProblemCode.CLOSED_BY_CAMERA)
        await rig.paused()
        before_s = rig.clock.monotonic_s()
        await rig.next_session()
        pauses_s.append(rig.clock.monotonic_s() - before_s)
    assert pauses_s[-1] >= 15
    assert rig.told[-1].condition is DeviceCondition.DEGRADED
    assert rig.told[-1].code == "unstable"
    assert len(rig.told) <= 2 * UNSTABLE_AFTER, "it does not go off and on with each try"
    rig.sessions[-1].end(None)
    await cancelled(task)


async def test_a_session_that_lasts_makes_failures_forgotten(rig: Rig) -> None:
    task = await with_run(rig)
    for number in range(UNSTABLE_AFTER):
        rig.sessions[number].send(30)
        rig.sessions[number].end(ProblemCode.CLOSED_BY_CAMERA)
        await rig.paused()
        await rig.next_session()
    rig.sessions[-1].send(30)
    await eventually(lambda: rig.clock.sleepers == 1, what="the session is watched until it is steady")
    rig.clock.advance(STEADY_AFTER_S + 1)
    await rig.told_code("online")
    rig.sessions[-1].end(ProblemCode.CLOSED_BY_CAMERA)
    await rig.told_code("closed_by_camera")
    before_s = rig.clock.monotonic_s()
    await rig.next_session()
    assert rig.clock.monotonic_s() - before_s <= 2
    rig.sessions[-1].end(None)
    await cancelled(task)


async def test_what_the_decoder_meets_makes_an_online_camera_degraded(rig: Rig) -> None:
    task = await with_run(rig)
    rig.sessions[0].send(1)
    await rig.told_code("online")
    rig.receiver.note_decoding(Problem(ProblemCode.GARBAGE))
    rig.receiver.note_decoding(None)
    assert [(told.condition.value, told.code) for told in rig.told] == [
        ("online", "online"),
        ("degraded", "garbage"),
        ("online", "online"),
    ]
    rig.sessions[0].end(None)
    await cancelled(task)


async def test_what_decoding_and_analysis_met_is_still_known_after_a_reconnection(rig: Rig) -> None:
    task = await with_run(rig)
    rig.sessions[0].send(1)
    await rig.told_code("online")
    rig.receiver.note_analysis(Problem(ProblemCode.ANALYSIS_FAILED))
    rig.receiver.note_decoding(Problem(ProblemCode.GARBAGE))
    rig.sessions[0].end(ProblemCode.STOPPED_SENDING)
    await rig.told_code("stopped_sending")
    await rig.next_session()
    rig.sessions[1].send(1)
    await rig.told_code("garbage")
    rig.receiver.note_decoding(None)
    rig.receiver.note_analysis(None)
    assert [(told.condition.value, told.code) for told in rig.told] == [
        ("online", "online"),
        ("degraded", "analysis_failed"),
        ("degraded", "garbage"),
        ("offline", "stopped_sending"),
        ("degraded", "garbage"),
        ("degraded", "analysis_failed"),
        ("online", "online"),
    ]
    rig.sessions[1].end(None)
    await cancelled(task)


async def test_the_rings_of_both_streams_are_told_apart(rig: Rig) -> None:
    sub = PacketRing(10.0, 1 << 20)
    session = ScriptedSession()
    receiver = CameraReceiver("cam", lambda: session, sub, clock=rig.clock, on_condition=lambda _: None, stream="sub")
    tasks = [await with_run(rig), asyncio.create_task(receiver.run())]
    await eventually(lambda: session.listener is not None)
    rig.sessions[0].send(30)
    session.send(1)
    held = [metrics.ring_bytes.labels("cam", stream)._value.get() for stream in ("main", "sub")]
    assert held[0] > held[1] > 0
    for task, ended in zip(tasks, (rig.sessions[0], session), strict=True):
        ended.end(None)
        await cancelled(task)


async def test_a_change_of_the_stream_under_way_is_a_new_epoch(rig: Rig) -> None:
    task = await with_run(rig)
    rig.sessions[0].send(10)
    rig.sessions[0].send(10)
    assert (rig.ring.epoch, rig.ring.head) == (1, 20)
    rig.sessions[0].end(None)
    await cancelled(task)


async def test_a_stopped_receiver_stops_its_session_and_takes_nothing_more(rig: Rig) -> None:
    task = await with_run(rig)
    rig.sessions[0].send(5)
    task.cancel()
    await eventually(lambda: rig.sessions[0].is_stopped)
    rig.sessions[0].send(5)
    assert not task.done(), "it waits for the session's end"
    rig.sessions[0].end(None)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.ring.head == 5


async def test_stopping_does_not_wait_for_ever_for_a_session_that_hangs(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.receiver.STOP_WAIT_S", 0.05)
    task = await with_run(rig)
    await asyncio.wait_for(cancelled(task), 1)
    assert rig.sessions[0].is_stopped
