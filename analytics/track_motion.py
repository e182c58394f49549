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

SHORTEST_STEP_S = 1e-3
"""Two frames of one instant must not divide by zero."""

_BOX_RATES = -1.0 / np.array([CENTRE_TIME_S, CENTRE_TIME_S, SIZE_TIME_S, SIZE_TIME_S])


def advance(boxes: Floats, velocity: Floats, step_s: float) -> None:
    """Move `boxes` (T, 4) on by `step_s` at `velocity` (T, 2)."""
    boxes[:, :2] += velocity * step_s


def correct(boxes: Floats, velocity: Floats, measured: Floats, unseen_s: Floats) -> None:
    """Move `boxes` (M, 4) and `velocity` (M, 2) towards what was `measured` (M, 4) after `unseen_s` (M,) without sight.

    The gain of a first-order filter of time constant T after t seconds is 1 - exp(-t / T).
    """
    elapsed_s = np.maximum(unseen_s, SHORTEST_STEP_S)[:, None]
    surprise = measured - boxes
    boxes -= surprise * np.expm1(elapsed_s * _BOX_RATES)
    velocity -= surprise[:, :2] * (np.expm1(elapsed_s * (-1.0 / VELOCITY_TIME_S)) / elapsed_s)
