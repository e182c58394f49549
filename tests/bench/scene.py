"""Made-up walking people with known identities, and what a detector of known faults would say of them.

For the tracker's bench and tests: no public footage with identities may be shipped. Deterministic by seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.packet import Stamp
from models.detections import Detections
from models.nms import iou_matrix

ASPECT = 4 / 3
WALK_HEIGHTS_PER_S = (0.4, 0.9)
TURN_EVERY_S = 4.0
TURN_TIME_S = 0.6
"""People do not turn on the spot."""

CENTRE_NOISE_HEIGHTS = 0.03
SIZE_NOISE = 0.05
MISS_SHARE = 0.06
HIDDEN_IOU = 0.3
"""A person whom a nearer one covers this much is missed nearly always."""

HIDDEN_MISS_SHARE = 0.85
FALSE_BOXES_A_FRAME = 0.15


@dataclass(frozen=True, slots=True)
class Truth:
    """Who is where: person_id (P,), xyxy (P, 4) in fractions of the picture."""

    person_id: NDArray[np.int64]
    xyxy: NDArray[np.float32]


class Walkers:
    """People who walk about a square, nearer ones larger; each turns now and then and comes back from the edge."""

    def __init__(self, count: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._foot = self._rng.uniform([0.1, 0.4], [0.9, 0.95], (count, 2))
        self._speed = self._rng.uniform(*WALK_HEIGHTS_PER_S, count)
        self._heading = self._rng.uniform(0, 2 * np.pi, count)
        self._wanted = self._heading.copy()
        self._slimness = self._rng.uniform(0.35, 0.45, count)

    def walk(self, step_s: float) -> None:
        """Move everybody on by `step_s`."""
        turning = self._rng.random(len(self._foot)) < step_s / TURN_EVERY_S
        self._wanted[turning] += self._rng.normal(0, 1.0, int(turning.sum()))
        self._heading += (self._wanted - self._heading) * -np.expm1(-step_s / TURN_TIME_S)
        step = (self._speed * self._height() * step_s)[:, None]
        self._foot += step * np.stack([np.cos(self._heading) / ASPECT, np.sin(self._heading) * 0.5], axis=1)
        out = (self._foot < [0.03, 0.35]) | (self._foot > [0.97, 0.98])
        away = np.arctan2(0.65 - self._foot[:, 1], 0.5 - self._foot[:, 0])
        self._wanted = np.where(out.any(axis=1), self._heading + _turn(away - self._heading), self._wanted)

    def _height(self) -> NDArray[np.float64]:
        tall: NDArray[np.float64] = 0.05 + 0.22 * self._foot[:, 1]
        return tall

    def truth(self) -> Truth:
        height = self._height()
        half_width = height * self._slimness / ASPECT / 2
        x, y = self._foot.T
        boxes = np.stack([x - half_width, y - height, x + half_width, y], axis=1)
        return Truth(np.arange(len(x)), boxes.astype(np.float32))


def _turn(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angle between -pi and pi."""
    turned: NDArray[np.float64] = (angle + np.pi) % (2 * np.pi) - np.pi
    return turned


def watch(count: int, fps: float, seconds: float, seed: int) -> Iterator[tuple[Truth, Detections]]:
    """Frame after frame: who is where, and what the detector says."""
    walkers, rng = Walkers(count, seed), np.random.default_rng(seed + 1)
    for frame in range(round(seconds * fps)):
        walkers.walk(1 / fps)
        truth = walkers.truth()
        yield truth, detect(truth, Stamp("made-up", frame, round(frame / fps * 1e9)), rng)


def detect(truth: Truth, stamp: Stamp, rng: np.random.Generator) -> Detections:
    """The truth with jitter, misses, and boxes where nobody is."""
    count = len(truth.person_id)
    nearer = truth.xyxy[None, :, 3] > truth.xyxy[:, None, 3]
    hidden = (iou_matrix(truth.xyxy, truth.xyxy) * nearer > HIDDEN_IOU).any(axis=1)
    seen = rng.random(count) >= np.where(hidden, HIDDEN_MISS_SHARE, MISS_SHARE)
    boxes = truth.xyxy[seen].astype(np.float64)
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, 2:] + boxes[:, :2]) / 2
    centre += rng.normal(0, CENTRE_NOISE_HEIGHTS, centre.shape) * size[:, 1:]
    size *= np.exp(rng.normal(0, SIZE_NOISE, size.shape))
    score = np.clip(rng.normal(0.68, 0.1, len(size)), 0.1, 0.95)
    extra = rng.poisson(FALSE_BOXES_A_FRAME)
    false_centre = rng.uniform([0.05, 0.3], [0.95, 0.9], (extra, 2))
    centre, size = np.vstack([centre, false_centre]), np.vstack([size, np.tile([0.04, 0.15], (extra, 1))])
    score = np.hstack([score, rng.uniform(0.3, 0.7, extra)])
    xyxy = np.clip(np.hstack([centre - size / 2, centre + size / 2]), 0, 1).astype(np.float32)
    return Detections(stamp, xyxy, score.astype(np.float32), np.zeros(len(score), np.int32))
