"""How tracked boxes move: an alpha-beta filter whose gains follow from seconds, not from frames. Works in place.

Boxes are centre x, centre y, width, height in picture heights, so that a pixel is as long across as down; velocities
are picture heights a second. Both stand for the time of the last frame.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CENTRE_TIME_S = 0.2
"""The filter takes 63% of a lasting shift of the centre within this time: 0.4 of it in one frame at 10 fps.

Longer, boxes trail behind people who turn; shorter, identities are swapped where people meet.
"""

SIZE_TIME_S = 0.28
"""The same for width and height, which change slowly and are measured worse: 0.3 in one frame at 10 fps."""

VELOCITY_TIME_S = 0.7
"""The same for the velocity; shorter, it follows the detector's jitter."""

SHORTEST_STEP_S = 0.01
"""Two frames nearer in time than this say where a thing is, but nothing about its velocity."""

_BOX_RATES = 1.0 / np.array([CENTRE_TIME_S, CENTRE_TIME_S, SIZE_TIME_S, SIZE_TIME_S])


def advance(boxes: Floats, velocity: Floats, step_s: float) -> None:
    """Move `boxes` (T, 4) on by `step_s` at `velocity` (T, 2)."""
    boxes[:, :2] += velocity * step_s


def correct(boxes: Floats, velocity: Floats, measured: Floats, unseen_s: Floats, sightings: NDArray[np.int64]) -> None:
    """Move `boxes` (M, 4) and `velocity` (M, 2) towards what was `measured` (M, 4) after `unseen_s` (M,) without sight.

    A first-order filter of time constant T has the gain 1 - exp(-t / T) after t seconds. While `sightings` (M,), this
    one included, are few, the gains are those of a straight line through all of them (least squares over a growing
    memory: 2 (2k - 1) / k (k + 1) and 6 / k (k + 1) at the k-th), or a fast car would be lost before it had a velocity.
    """
    elapsed_s = np.maximum(unseen_s, SHORTEST_STEP_S)[:, None]
    k = sightings[:, None]
    line_gain = 6.0 / (k * (k + 1))
    box_gain = np.maximum(1.0 - np.exp(elapsed_s * -_BOX_RATES), line_gain * (2 * k - 1) / 3.0)
    velocity_gain = np.maximum(1.0 - np.exp(elapsed_s / -VELOCITY_TIME_S), line_gain)
    velocity_gain[unseen_s < SHORTEST_STEP_S] = 0.0
    surprise = measured - boxes
    boxes += surprise * box_gain
    velocity += surprise[:, :2] * (velocity_gain / elapsed_s)
