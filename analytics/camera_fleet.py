"""The cameras of one worker: units by id, detectors loaded once by name and shared, the threads they all run on.

All calls on the loop. A camera whose detector cannot be loaded is told offline with the reason; the others go on.
"""

import asyncio
from collections.abc import Callable

from alerts.contract import DeviceCondition, Text
from analytics.camera_pipeline import FrameDetector
from analytics.camera_unit import CameraServices, CameraUnit
from devices.model import Camera
from ingest.condition import Condition
from runtime.errors import ConfigurationError
from runtime.log import get_logger

_log = get_logger(__name__)

LoadDetector = Callable[[str | None], FrameDetector]
"""Blocks; the detector of a catalogue name, None for the default. Raises ConfigurationError."""


class CameraFleet:
    """`start_threads` first, `close` last."""

    def __init__(self, services: CameraServices, load_detector: LoadDetector) -> None:
        self._shared = services
        self._load_detector = load_detector
        self._detectors: dict[str | None, FrameDetector] = {}
        self._units: dict[str, CameraUnit] = {}

    def start_threads(self) -> None:
        self._shared.decode.start()
        self._shared.inference.start()
        self._shared.recorder.start()

    async def start(self, camera: Camera) -> None:
        """Begin to watch a camera."""
        try:
            detector = await self._detector(camera.model)
        except ConfigurationError as error:
            _log.error("camera not watched", camera=camera.camera_id, reason=str(error))
            self._shared.on_condition(camera, self._without_detector(error))
            return
        unit = CameraUnit(camera, detector, self._shared)
        self._units[camera.camera_id] = unit
        unit.start()

    def rename(self, camera: Camera) -> None:
        """Take up what a camera is called and where it is; unknown ids are ignored."""
        unit = self._units.get(camera.camera_id)
        if unit is not None:
            unit.rename(camera)

    async def stop(self, camera_id: str) -> None:
        """Watch it no longer; unknown ids are ignored."""
        unit = self._units.pop(camera_id, None)
        if unit is not None:
            await unit.close()

    async def close(self) -> None:
        """Stop all cameras at once, then the threads; what is being recorded is finished."""
        units, self._units = list(self._units.values()), {}
        await asyncio.gather(*(unit.close() for unit in units))
        for part in (self._shared.decode, self._shared.inference, self._shared.recorder):
            await asyncio.to_thread(part.stop)

    async def _detector(self, name: str | None) -> FrameDetector:
        if name not in self._detectors:
            self._detectors[name] = await asyncio.to_thread(self._load_detector, name)
        return self._detectors[name]

    def _without_detector(self, error: ConfigurationError) -> Condition:
        reason = Text(zh=f"检测模型无法使用：{error}", en=f"its detector cannot be used: {error}")
        return Condition(DeviceCondition.OFFLINE, "no_detector", reason, self._shared.clock.now_ns())
