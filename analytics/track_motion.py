"""How a tracked box moves between sightings: an alpha-beta filter whose gains follow from seconds, not from frames.

Works in place on arrays of dtype `TRACK`, lengths in picture heights, so that a pixel is as long across as down.
"""

import numpy as np
from numpy.typing import NDArray

TRACK = np.dtype(
    [
        ("track_id", np.int64),
        ("first_t_ns", np.int64),
        ("seen_t_ns", np.int64),
        ("sightings", np.int64),
        ("class_id", np.int32),
        ("group_id", np.int32),
        ("class_votes", np.float64),
        ("score", np.float32),
        ("centre", np.float64, 2),
        ("size", np.float64, 2),
        ("velocity", np.float64, 2),
    ]
)
"""One row a track. centre, size (width, height): picture heights; velocity: picture heights a second."""

Tracked = NDArray[np.void]
"""Rows of dtype TRACK."""

CENTRE_TIME_S = 0.4
"""The filter takes 63% of a lasting shift of the centre within this time: 0.4 of it in one frame at 5 fps."""

SIZE_TIME_S = 0.55
"""The same for width and height, which change slowly and are measured worse: 0.3 in one frame at 5 fps."""

VELOCITY_TIME_S = 1.0
"""The same for the velocity; shorter, it follows the detector's jitter."""

SHORTEST_STEP_S = 1e-3
"""Two frames of one instant must not divide by zero."""


def predict(tracks: Tracked, elapsed_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centres (T, 2) `elapsed_s` (T,) after each track was last seen."""
    ahead: NDArray[np.float64] = tracks["centre"] + tracks["velocity"] * elapsed_s[:, None]
    return ahead


def correct(
    tracks: Tracked,
    rows: NDArray[np.intp],
    centre: NDArray[np.float64],
    size: NDArray[np.float64],
    t_ns: int,
) -> None:
    """Move the tracks at `rows` (M,) towards what was measured, (M, 2) each, and set when they were seen."""
    elapsed_s = np.maximum((t_ns - tracks["seen_t_ns"][rows]) / 1e9, SHORTEST_STEP_S)[:, None]
    velocity = tracks["velocity"][rows]
    ahead = tracks["centre"][rows] + velocity * elapsed_s
    surprise = centre - ahead
    tracks["centre"][rows] = ahead + surprise * gain(elapsed_s, CENTRE_TIME_S)
    tracks["velocity"][rows] = velocity + surprise * gain(elapsed_s, VELOCITY_TIME_S) / elapsed_s
    before = tracks["size"][rows]
    tracks["size"][rows] = before + (size - before) * gain(elapsed_s, SIZE_TIME_S)
    tracks["seen_t_ns"][rows] = t_ns
    tracks["sightings"][rows] += 1


def gain(elapsed_s: NDArray[np.float64], time_s: float) -> NDArray[np.float64]:
    """The part of a surprise that is believed after `elapsed_s`, for a first-order filter of time constant `time_s`."""
    part: NDArray[np.float64] = -np.expm1(-elapsed_s / time_s)
    return part
