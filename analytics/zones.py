"""Where on the picture a foot point is: zones as masks rasterised once, lines as directed segments.

In go foot points (N, 2) f32, x and y as fractions of the picture, origin top left, y down; out come arrays over
the same rows. Pure numpy, no state; runs in the inference thread.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from devices.scene import Line, Zone

MASK_CELLS = 256
"""Cells along each side of a zone's mask: a border is off by at most 0.4% of the picture, less than a box jitters."""

END_TOLERANCE = 1e-6
"""Of a line's length; above the rounding of f32, so that a step through its very end counts both ways alike."""

_SHIFT_BITS = 8
"""Fractional bits of the vertices that are drawn, so that they are not rounded to whole cells."""


def foot_points(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bottom centre (N, 2) of boxes (N, 4): where what is seen stands on the ground."""
    feet = np.empty((len(xyxy), 2), np.float32)
    np.add(xyxy[:, 0], xyxy[:, 2], out=feet[:, 0])
    feet[:, 0] *= 0.5
    feet[:, 1] = xyxy[:, 3]
    return feet


class ZoneMask:
    """A polygon as a mask. Its border counts as inside, so the thinnest zone still has cells."""

    def __init__(self, zone: Zone) -> None:
        self.name = zone.name
        corners = np.asarray(zone.polygon, np.float64)
        at_cell = np.rint((corners * MASK_CELLS - 0.5) * (1 << _SHIFT_BITS)).astype(np.int32)
        drawn = np.zeros((MASK_CELLS, MASK_CELLS), np.uint8)
        cv2.fillPoly(drawn, [at_cell], (1,), cv2.LINE_8, _SHIFT_BITS)
        self._inside: NDArray[np.bool_] = drawn.astype(np.bool_)

    def contains(self, feet: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(N,) whether each foot point (N, 2) is inside; points beyond the picture's edge count as on it."""
        cell = np.minimum(np.maximum(feet * MASK_CELLS, 0), MASK_CELLS - 1).astype(np.intp)
        return self._inside[cell[:, 1], cell[:, 0]]


class LineSegment:
    """A directed segment. Side a is on the left hand of one who stands at its start and looks at its end.

    With y down that is the side where dx * (y - y0) - dy * (x - x0) is negative: above a line drawn from left to right.
    """

    def __init__(self, line: Line) -> None:
        self.name = line.name
        self._start = np.asarray(line.start, np.float64)
        self._along = np.asarray(line.end, np.float64) - self._start
        self._length = float(np.hypot(*self._along))

    def side(self, feet: NDArray[np.float32]) -> NDArray[np.float64]:
        """(N,) signed distance from the infinite line in fractions of the picture: negative on side a."""
        away = feet - self._start
        distance: NDArray[np.float64] = (self._along[0] * away[:, 1] - self._along[1] * away[:, 0]) / self._length
        return distance

    def crossings(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
        """Steps before -> after (N, 2) that intersect the segment: (N,) +1 from a to b, -1 from b to a, 0 none;
        and (N,) how far along the step they do, 0 to 1. A point exactly on the line belongs to side b."""
        from_side, to_side = self.side(before), self.side(after)
        passes = (from_side < 0) != (to_side < 0)
        along_step = np.divide(from_side, from_side - to_side, out=np.zeros(len(before)), where=passes)
        meeting = before + (after - before) * along_step[:, None]
        along_line = ((meeting - self._start) @ self._along) / self._length**2
        hits = passes & (along_line >= -END_TOLERANCE) & (along_line <= 1.0 + END_TOLERANCE)
        sign = np.where(from_side < 0, 1, -1).astype(np.int8)
        return np.where(hits, sign, np.int8(0)), along_step
