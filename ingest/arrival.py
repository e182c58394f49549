"""How packets come in from libav: when a silence has lasted too long, and when the first packets really came.

Used in the thread that reads. `Silence.check` raises `CameraError`; nothing blocks.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.camera_errors import CameraError, ProblemCode

BUSY_SILENCE_S = 1.5
BUSY_SHARE = 0.3
"""libav looks for the next packet in garbage byte by byte: a silence that costs this much CPU is none."""

BURST_GAP_S = 0.005
"""Packets that libav has in store come without waiting; the first one to be waited for comes from the camera."""

MAX_HELD = 64
"""libav reads some 7 pictures ahead; a source that never lets us wait (a file) is not held back for more."""

MAX_UNTIMED = 2
"""How many packets without a time are waited for one that has it; usually the first alone has none."""

MAX_AGE_S = 3.0
"""More than libav reads ahead, whatever the packets' times say."""

LIKELY_FPS = (1.0, 60.0)
USUAL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """One access unit as it came, `age_s` ago."""

    pts_90k: int
    is_key: bool
    raw: bytes
    age_s: float = 0.0


class Silence:
    """How long nothing has come, and whether it is silence at all."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self.end()

    def end(self) -> None:
        """A packet came."""
        self._since_s = time.monotonic()
        self._since_cpu_s = time.thread_time()

    def check(self, *, has_media: bool) -> None:
        """Raise when it has lasted too long; `has_media` tells whether anything came before it."""
        silent_s = time.monotonic() - self._since_s
        if silent_s > BUSY_SILENCE_S and time.thread_time() - self._since_cpu_s > BUSY_SHARE * silent_s:
            raise CameraError(ProblemCode.GARBAGE)
        if silent_s > self._longest_s:
            raise CameraError(ProblemCode.STOPPED_SENDING if has_media else ProblemCode.NO_MEDIA)


class Beginning:
    """The first packets of a session, held until it is known when they came and what their times are.

    libav has read ahead to learn about the stream, so they come in a burst; and it leaves the first one's time open.
    """

    def __init__(self, nominal_fps: float | None) -> None:
        is_likely = nominal_fps is not None and LIKELY_FPS[0] <= nominal_fps <= LIKELY_FPS[1]
        self._frame_90k = round(90_000 / (nominal_fps if is_likely and nominal_fps else USUAL_FPS))
        self._held: list[tuple[int | None, bool, bytes]] = []
        self._is_over = False
        self._last_90k = 0
        self._untold_step_90k = 1

    def take(self, pts_90k: int | None, is_key: bool, raw: bytes, waited_s: float) -> Iterator[Encoded]:
        """The packets that are known well enough now, in stream order.

        A time that is missing is one tick on; in a bare stream, which has no times at all, one picture.
        """
        if self._is_over:
            self._last_90k = self._last_90k + self._untold_step_90k if pts_90k is None else pts_90k
            yield Encoded(self._last_90k, is_key, raw)
            return
        self._held.append((pts_90k, is_key, raw))
        is_live = waited_s > BURST_GAP_S and (pts_90k is not None or len(self._held) > MAX_UNTIMED)
        if is_live or len(self._held) >= MAX_HELD:
            yield from self.end()

    def end(self) -> Iterator[Encoded]:
        """Nothing more is in store: what is held, the newest having come just now."""
        self._is_over = True
        if len(self._held) > MAX_UNTIMED and all(pts_90k is None for pts_90k, _, _ in self._held):
            self._untold_step_90k = self._frame_90k
        times = self._times()
        for pts_90k, (_, is_key, raw) in zip(times, self._held, strict=True):
            self._last_90k = pts_90k
            yield Encoded(pts_90k, is_key, raw, max(0.0, min(MAX_AGE_S, (times[-1] - pts_90k) / 90_000)))
        self._held.clear()

    def _times(self) -> list[int]:
        """Missing ones are a frame apart from what comes after them."""
        times: list[int] = []
        next_90k: int | None = None
        for pts_90k, _, _ in reversed(self._held):
            guessed_90k = 0 if next_90k is None else next_90k - self._frame_90k
            next_90k = guessed_90k if pts_90k is None else pts_90k
            times.append(next_90k)
        return times[::-1]
