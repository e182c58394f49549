"""Everything one registered camera has in a worker: rings, receivers, decode policy, pipeline, recording.

Made and closed on the loop, where the receivers' tasks run too; frames go by the shared decode and inference threads.
Where there is a sub-stream it is watched and detected on, and the main stream is only kept, recorded and cut.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from analytics.camera_pipeline import CameraPipeline, FrameDetector, FrameResult
from analytics.decode_pool import DecodePool
from analytics.inference_pool import InferencePool
from analytics.motion_gate import MotionGate
from devices.model import Camera
from devices.scene import Scene
from ingest.camera_errors import Problem
from ingest.condition import Condition
from ingest.decode_policy import FramePolicy
from ingest.libav_session import LibavSession
from ingest.packet import Frame, Stamp
from ingest.receiver import CameraReceiver
from ingest.recorder import Recorder
from ingest.ring import PacketRing
from ingest.session import StreamSource
from ingest.settings import CameraSettings
from runtime import metrics
from runtime.clock import NS_PER_S, Clock

SUB_RING_S = 6.0
"""Look-back needs the group of pictures before the present one; clips are cut from the main stream."""

SILENCE_S = 5.0
"""A camera that gave no frame for this long lets its events end by time."""

Spawn = Callable[[str, Callable[[], Awaitable[None]]], "asyncio.Task[None]"]
"""Runs work as a named task that is started again when it fails."""

OnCondition = Callable[[Camera, Condition], None]
OnFound = Callable[[Camera, Frame | None, FrameResult], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraServices:
    """What all cameras of a worker share."""

    settings: CameraSettings
    clock: Clock
    spawn: Spawn
    decode: DecodePool
    inference: InferencePool
    recorder: Recorder
    on_condition: OnCondition
    on_found: OnFound
    """Called in an inference thread with each result that holds events."""


class CameraUnit:
    """`start` and `close` on the loop."""

    def __init__(self, camera: Camera, detector: FrameDetector, services: CameraServices) -> None:
        self._camera = camera
        self._shared = services
        self._pipeline = CameraPipeline(
            camera.camera_id,
            Scene(zones=camera.zones, lines=camera.lines, rules=camera.rules),
            detector,
            camera.detect_fps,
        )
        settings = services.settings
        self._main = PacketRing(settings.ring_s, settings.ring_bytes)
        self._watched = PacketRing(SUB_RING_S, settings.ring_bytes) if camera.sub_url else self._main
        self._receivers: list[CameraReceiver] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()
        self._last_frame: tuple[int, float] | None = None  # its time, and when it was analysed (monotonic, s)

    def start(self) -> None:
        """Begin to receive, record and watch."""
        shared, camera = self._shared, self._camera
        shared.recorder.add_camera(camera, self._main)
        shared.inference.add(camera.camera_id, self._pipeline, self._found, self._note_analysis)
        policy = FramePolicy(self._watched, MotionGate(), camera.detect_fps, hold=lambda: self._pipeline.wants_frames)
        shared.decode.add(camera.camera_id, policy, self._note_decoding)
        self._receive("main", camera.main_url, self._main)
        if camera.sub_url:
            self._receive("sub", camera.sub_url, self._watched)
        self._tasks.append(shared.spawn(f"silence-{camera.camera_id}", self._let_time_pass))

    def rename(self, camera: Camera) -> None:
        """Use this record for new alerts and states; nothing that the stream or the analysis depends on differs."""
        self._camera = camera

    async def close(self) -> None:
        """Stop receiving. Events that go on are ended by an inference thread; what is being recorded is finished."""
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        camera_id = self._camera.camera_id
        await asyncio.to_thread(self._shared.decode.remove, camera_id)
        self._shared.inference.remove(camera_id)
        self._shared.recorder.remove_camera(camera_id)
        metrics.forget_camera(camera_id)

    def _receive(self, stream: str, url: str, ring: PacketRing) -> None:
        camera, shared = self._camera, self._shared
        source = StreamSource(url, camera.credentials, camera.transport)
        silence_s = shared.settings.session_timeout_s
        receiver = CameraReceiver(
            camera.camera_id,
            lambda: LibavSession(camera.camera_id, source, silence_s=silence_s),
            ring,
            clock=shared.clock,
            on_condition=lambda _: self._tell_condition(),
            stream=stream,
        )
        self._receivers.append(receiver)
        self._tasks.append(shared.spawn(f"receiver-{camera.camera_id}", receiver.run))

    def _tell_condition(self) -> None:
        """The camera is as well as the worse of its streams."""
        known = [receiver.condition for receiver in self._receivers if receiver.condition]
        if known:
            self._shared.on_condition(self._camera, max(known, key=_badness))

    def _note_decoding(self, problem: Problem | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(self._receivers[-1].note_decoding, problem)

    def _note_analysis(self, problem: Problem | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear it
            self._loop.call_soon_threadsafe(self._receivers[-1].note_analysis, problem)

    def _found(self, frame: Frame | None, result: FrameResult) -> None:
        if frame is not None:
            self._last_frame = frame.stamp.t_ns, self._shared.clock.monotonic_s()
        if result.events:
            self._shared.on_found(self._camera, frame, result)

    async def _let_time_pass(self) -> None:
        clock = self._shared.clock
        while True:
            await clock.sleep(SILENCE_S)
            if self._last_frame is None:
                continue
            t_ns, at_s = self._last_frame
            # Not the host's wall time: it may be set, and stamps follow it only slowly.
            overdue_s = clock.monotonic_s() - at_s - SILENCE_S
            if overdue_s > 0:
                passed_ns = t_ns + round(overdue_s * NS_PER_S)
                self._shared.inference.let_pass(Stamp(self._camera.camera_id, 0, passed_ns))


def _badness(condition: Condition) -> int:
    return ["online", "degraded", "offline"].index(condition.condition.value)
