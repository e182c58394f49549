"""All recording of a worker: one thread that ticks over the clips and segments of every camera.

Packets come from the cameras' rings, files go to the spool, from where `ingest.uploader` takes them. Receivers never
wait for it: a slow disk costs packets that leave the ring, which is logged as a gap. A camera whose recording fails
unexpectedly is started afresh; the others go on. Methods may be called from any thread and do not touch the disk.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ulid import ULID

from devices.model import Camera, RecordingMode
from ingest.clip_cutter import ClipCutter
from ingest.object_key import ObjectKind
from ingest.ring import PacketRing
from ingest.segments import SegmentWriter
from ingest.settings import CameraSettings
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.clock import Clock, SystemClock
from runtime.errors import UnavailableError
from runtime.health import Health
from runtime.log import get_logger

TICK_S = 0.2
CHECK_S = 10.0
STOP_S = 2.0
"""A disk that takes longer to end the open files is left to the next start, which salvages them."""

HEALTH_PART = "spool"
FAULT_PAUSE_S = 5.0
"""A fault that comes back at once costs a line of log this often, and not five times a second."""

FAILURE = "recording failed unexpectedly"
MAX_ORPHANS = 1000
"""Clips asked for on cameras that are not recorded, between two ticks."""

_log = get_logger(__name__)


class _CameraRecording:
    """What is recorded of one camera."""

    def __init__(self, camera: Camera, clips: ClipCutter, segments: SegmentWriter | None) -> None:
        self.camera_id = camera.camera_id
        self.clips = clips
        self.segments = segments
        self.paused_until_s = float("-inf")

    def tick(self) -> None:
        self.clips.tick()
        if self.segments is not None:
            self.segments.tick()

    def finish(self) -> None:
        self.clips.finish_all()
        if self.segments is not None:
            self.segments.finish()

    def fail(self) -> None:
        """Forget all open files; their whole fragments are kept."""
        if self.segments is not None:
            self.segments.fail(FAILURE)
        self.clips.fail(FAILURE)


class Recorder:
    """See the module."""

    def __init__(
        self, spool: Spool, settings: CameraSettings, clock: Clock | None = None, health: Health | None = None
    ) -> None:
        self._spool = spool
        self._settings = settings
        self._clock = clock or SystemClock()
        self._health = health or Health()
        self._lock = threading.Lock()
        self._cameras: dict[str, _CameraRecording] = {}
        self._leaving: deque[_CameraRecording] = deque()
        self._orphans: deque[SpoolRecord] = deque(maxlen=MAX_ORPHANS)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._checked_at_s = float("-inf")

    def start(self) -> None:
        """Start the thread. The spool need not be writable: that is tried again for ever and told to health."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish all open files and end the thread, within `STOP_S`."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if self._thread.is_alive():
                _log.warning("recorder did not end in time; the next start salvages its files")

    def add_camera(self, camera: Camera, ring: PacketRing) -> None:
        """Record from `ring`; replaces what was known of this camera."""
        clips = ClipCutter(camera.camera_id, ring, self._spool, self._settings, self._clock)
        is_continuous = camera.recording is RecordingMode.CONTINUOUS
        segments = (
            SegmentWriter(camera.camera_id, ring, self._spool, self._settings.segment_s, self._clock)
            if is_continuous
            else None
        )
        with self._lock:
            self._let_go(camera.camera_id)
            self._cameras[camera.camera_id] = _CameraRecording(camera, clips, segments)

    def remove_camera(self, camera_id: str) -> None:
        """Finish what is being recorded of the camera at the next tick, and forget it."""
        with self._lock:
            self._let_go(camera_id)

    def start_clip(self, alert_id: str, camera_id: str, start_ns: int) -> str:
        """Cut a clip for the alert's event; the clip's id, perhaps that of a clip shared with other alerts.

        What becomes of it comes from the uploader: stored, or lost (also for a camera that is not recorded).
        """
        with self._lock:
            recording = self._cameras.get(camera_id)
            if recording is not None:
                return recording.clips.start(alert_id, start_ns)
            orphan = SpoolRecord(
                object_id=str(ULID()),
                kind=ObjectKind.CLIP,
                camera_id=camera_id,
                start_ns=start_ns,
                alert_ids=(alert_id,),
            )
            self._orphans.append(orphan)
            return orphan.object_id

    def end_clip(self, clip_id: str, end_ns: int) -> None:
        """The event of one `start_clip` has ended: call it once for each. Unknown or finished clips are ignored."""
        with self._lock:
            recordings = list(self._cameras.values())
        for recording in recordings:
            if recording.clips.end(clip_id, end_ns):
                return

    def tick(self) -> None:
        """One round over all cameras; the thread calls it every `TICK_S`."""
        self._check_spool()
        with self._lock:
            recordings = list(self._cameras.values())
            leaving, self._leaving = self._leaving, deque()
            orphans = list(self._orphans)
            self._orphans.clear()
        for orphan in orphans:
            self._spool.lose(orphan, "the camera is not being recorded")
        for recording in leaving:
            self._supervise(recording, recording.finish)
        now_s = self._clock.monotonic_s()
        for recording in recordings:
            if now_s >= recording.paused_until_s:
                self._supervise(recording, recording.tick)

    def finish(self) -> None:
        """Finish all open files of all cameras."""
        with self._lock:
            for camera_id in list(self._cameras):
                self._let_go(camera_id)
        self.tick()

    def _let_go(self, camera_id: str) -> None:
        recording = self._cameras.pop(camera_id, None)
        if recording is not None:
            self._leaving.append(recording)

    def _run(self) -> None:
        while not self._stopping.wait(TICK_S):
            self._guarded(self.tick)
        self._guarded(self.finish)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - supervision: the thread outlives whatever happens in a round
            _log.error("a round of the recorder failed", exc_info=error)

    def _supervise(self, recording: _CameraRecording, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - supervision: one camera's fault costs that camera alone
            _log.error("recording of a camera failed, started afresh", camera=recording.camera_id, exc_info=error)
            with suppress(Exception):  # what cannot be ended now, the next start of the process salvages
                recording.fail()
            recording.paused_until_s = self._clock.monotonic_s() + FAULT_PAUSE_S

    def _check_spool(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._checked_at_s < CHECK_S:
            return
        self._checked_at_s = now_s
        try:
            self._spool.check()
            self._health.well(HEALTH_PART)
        except UnavailableError as error:
            self._health.unwell(HEALTH_PART, str(error))
