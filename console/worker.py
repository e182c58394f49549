"""The worker: cameras on one side, the bus and the object store on the other, its own ledger and spool between.

`run_worker` is the role `sharpeyes worker`; `add_worker` puts the same parts into another role (`sharpeyes up`). Each
task has its rule: what owns the events ends the role when it dies; what takes up its work anew is restarted.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import cv2

from alerts.bus import Bus
from alerts.case_updates import CaseUpdateConsumer
from alerts.contract import DeviceCondition
from alerts.ledger import Ledger
from alerts.open_bus import open_bus
from alerts.relay import Relay
from analytics.camera_alerts import CameraAlerts
from analytics.camera_fleet import CameraFleet
from analytics.camera_unit import CameraServices, OnFound, Spawn
from analytics.decode_pool import DecodePool
from analytics.event_intake import EventIntake
from analytics.inference_pool import InferencePool
from console.registry_context import registry_of
from console.role import RoleContext, run_role
from console.roster import Roster
from console.settings import Settings
from devices.model import Camera, DeviceKind
from devices.registry import Registry
from ingest.camera_errors import Problem, ProblemCode
from ingest.condition import Condition
from ingest.device_states import DeviceStates
from ingest.open_store import open_spool, open_store
from ingest.recorder import Recorder
from ingest.spool import Spool
from ingest.uploader import Uploader
from models.catalogue import load_catalogue
from models.detector import Detector, load_detector
from runtime.errors import UnavailableError
from runtime.service import Restart

PART = "worker"
LEDGER_FILE = "worker.ledger.db"

SPOOL_RETRY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """What the worker takes from its role. `open_registry` blocks, may raise UnavailableError; the bus is started."""

    open_registry: Callable[[], Registry]
    bus: Bus


@asynccontextmanager
async def add_worker(context: RoleContext, parts: WorkerParts) -> AsyncIterator[None]:
    """Open the ledger, start threads and tasks in the role's service; all is closed again on exit."""
    settings, clock, health = context.settings, context.clock, context.health
    spool, store = open_spool(settings, settings.data), open_store(settings, settings.data)
    recorder = Recorder(spool, settings, clock, health)
    roster = Roster(parts.open_registry, clock, health)
    async with Ledger(settings.data / LEDGER_FILE, context.instance(PART), clock) as ledger:
        alerts = CameraAlerts(ledger, recorder, spool, roster.site_path, clock)
        intake = EventIntake(alerts, clock, health)
        states = DeviceStates(ledger, clock)
        await states.restore()
        fleet = _fleet(context, recorder, states, intake.put)
        _spawn_tasks(context, parts.bus, ledger, states)
        context.service.spawn("events", intake.run)
        left_over = await alerts.pending_clips()
        uploader = Uploader(spool, store, alerts.clip_stored, alerts.clip_lost, health)
        context.service.spawn("clips", uploader.run, restart=Restart())
        settle = partial(_settle_left_over, context, spool, alerts, left_over)
        context.service.spawn("clips-left-over", settle, restart=Restart())
        roster.on_change(states.retain)
        roster.on_unreadable(partial(_note_unreadable, states))
        fleet.start_threads()
        context.service.spawn("cameras", lambda: roster.follow(fleet))
        try:
            yield
        finally:
            intake.close()
            await fleet.close()
            await intake.drain()
            roster.close()
            await states.flush()


def _spawn_tasks(context: RoleContext, bus: Bus, ledger: Ledger, states: DeviceStates) -> None:
    spawn = context.service.spawn
    spawn("worker-relay", Relay(PART, ledger, bus, context.health, clock=context.clock).run, restart=Restart())
    spawn("worker-case-updates", CaseUpdateConsumer(ledger, bus).run, restart=Restart())
    spawn("camera-states", states.run, restart=Restart())


def _fleet(context: RoleContext, recorder: Recorder, states: DeviceStates, on_found: OnFound) -> CameraFleet:
    settings, clock = context.settings, context.clock
    threads = settings.inference_threads or os.cpu_count() or 1
    cv2.setNumThreads(1)  # the threads here are one a core already
    inference = InferencePool(threads, clock)
    catalogue = load_catalogue(settings.model_catalogue)

    def detector(name: str | None) -> Detector:
        return load_detector(settings, catalogue, name)

    def on_condition(camera: Camera, condition: Condition) -> None:
        states.report(camera.camera_id, DeviceKind.CAMERA, condition.condition, condition.code, condition.reason)

    services = CameraServices(
        settings=settings,
        clock=clock,
        spawn=_restarting(context),
        decode=DecodePool(os.cpu_count() or 1, inference, clock),
        inference=inference,
        recorder=recorder,
        on_condition=on_condition,
        on_found=on_found,
    )
    return CameraFleet(services, detector)


def _note_unreadable(states: DeviceStates, camera_id: str) -> None:
    problem = Problem(ProblemCode.LOGIN_UNREADABLE)
    states.report(camera_id, DeviceKind.CAMERA, DeviceCondition.OFFLINE, problem.code.value, problem.reason)


def _restarting(context: RoleContext) -> Spawn:
    return lambda name, work: context.service.spawn(name, work, restart=Restart())


async def _settle_left_over(
    context: RoleContext, spool: Spool, alerts: CameraAlerts, left_over: frozenset[str]
) -> None:
    """Once the spool can be read: alerts of an earlier run whose clip was never begun hear that it will not come."""
    while True:
        try:
            await asyncio.to_thread(spool.open)
            break
        except UnavailableError as error:
            context.health.unwell("spool", str(error))
            await context.clock.sleep(SPOOL_RETRY_S)
    if never_begun := left_over - spool.alert_ids():
        await alerts.clip_lost("none", tuple(never_begun), "the process ended before the clip was begun")


def run_worker(settings: Settings) -> None:
    """Run the role until it is told to stop."""
    run_role(PART, settings, [PART], _compose)


@asynccontextmanager
async def _compose(context: RoleContext) -> AsyncIterator[None]:
    settings = context.settings
    bus = open_bus(settings, settings.data, context.clock)
    await bus.start()
    try:
        async with add_worker(context, WorkerParts(open_registry=lambda: registry_of(settings), bus=bus)):
            yield
    finally:
        await bus.stop()
