"""Events wait for the ledger, in order; none is dropped, also when the role ends."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest

from analytics.camera_alerts import CameraAlerts
from analytics.camera_pipeline import FrameResult, nothing_detected, nothing_tracked
from analytics.event_intake import MAX_WAITING, PART, EventIntake
from analytics.events import Event
from devices.model import Camera
from ingest.packet import Frame
from runtime.clock import FakeClock
from runtime.errors import UnavailableError
from runtime.health import Health
from tests.registry_records import camera
from tests.unit.analytics.test_camera_alerts import event, frame
from tests.waiting import eventually, wait_until


@dataclass
class AlertsStub:
    """Notes which events it was told of; refuses those in `faults`, and all while `is_away`."""

    opened_ns: list[int] = field(default_factory=list)
    faults: frozenset[int] = frozenset()
    is_away: bool = False

    async def opened(self, _camera: Camera, found: Event, _frame: Frame) -> str:
        await asyncio.sleep(0)
        if self.is_away:
            raise UnavailableError("disk full")
        if found.start_ns in self.faults:
            raise RuntimeError("boom")
        self.opened_ns.append(found.start_ns)
        return "alert"


@dataclass
class Post:
    intake: EventIntake
    alerts: AlertsStub
    clock: FakeClock
    health: Health

    def put(self, *starts_ns: int) -> None:
        result = FrameResult(
            nothing_detected(frame(1).stamp), nothing_tracked(frame(1).stamp), [event(t_ns) for t_ns in starts_ns]
        )
        self.intake.put(camera("east"), frame(1), result)


@pytest.fixture
async def post() -> Post:
    clock, health, alerts = FakeClock(), Health(), AlertsStub()
    return Post(EventIntake(cast(CameraAlerts, alerts), clock, health), alerts, clock, health)


@contextlib.asynccontextmanager
async def running(post: Post) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(post.intake.run())
    yield task
    task.cancel()
    await asyncio.wait({task})


async def test_events_become_alerts_in_the_order_they_were_found(post: Post) -> None:
    async with running(post):
        await asyncio.to_thread(post.put, 1, 2, 3)
        await eventually(lambda: post.alerts.opened_ns == [1, 2, 3])


async def test_an_event_waits_for_a_ledger_that_is_away_and_health_says_so(post: Post) -> None:
    post.alerts.is_away = True
    async with running(post):
        post.put(1, 2)
        await eventually(lambda: not post.health.is_ready())
        post.alerts.is_away = False
        post.clock.advance(10)
        await eventually(lambda: post.alerts.opened_ns == [1, 2])
        assert post.health.parts()[PART].well


async def test_a_thread_that_waits_for_room_at_the_end_still_hands_over_its_event(post: Post) -> None:
    post.put(*range(MAX_WAITING))
    waiting = threading.Thread(target=post.put, args=(MAX_WAITING,), daemon=True)
    waiting.start()
    post.intake.close()
    wait_until(lambda: not waiting.is_alive())
    post.put(MAX_WAITING + 1)
    await asyncio.sleep(0)
    await post.intake.drain()
    assert post.alerts.opened_ns == list(range(MAX_WAITING + 2))


async def test_an_event_that_cannot_be_told_does_not_take_the_others_along_at_the_end(post: Post) -> None:
    post.alerts.faults = frozenset({1})
    post.put(1, 2, 3)
    with pytest.raises(RuntimeError, match="boom"):
        await post.intake.run()
    await post.intake.drain()
    assert post.alerts.opened_ns == [2, 3]
