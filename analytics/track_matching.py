"""Which detection belongs to which track: one similarity matrix, one greedy pass. Pure functions over arrays.

Overlap is the wrong question at five frames a second, where a walking person has left their last box; nearness in body
lengths, with a gate that opens while a track is unseen, is the right one.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def similarity(tracked: Floats, measured: Floats, gate_lengths: Floats) -> Floats:
    """How well T boxes fit N others: (T, N), 1 for the same place and height, 0 or less outside the gate.

    Boxes are centre x, centre y, width, height, (T, 4) and (N, 4), in one unit. `gate_lengths` (T,) is the distance of
    the centres at which a track stops matching, in lengths: the longer side, averaged over the pair.
    """
    apart = np.hypot(tracked[:, 0, None] - measured[:, 0], tracked[:, 1, None] - measured[:, 1])
    length = np.maximum(tracked[:, 2], tracked[:, 3])[:, None] + np.maximum(measured[:, 2], measured[:, 3])
    apart /= length
    apart *= -2.0 / gate_lengths[:, None]
    apart += 1.0
    ratio = tracked[:, 3, None] / measured[:, 3]
    fit: Floats = apart * np.minimum(ratio, 1.0 / ratio)
    return fit


def match_greedily(fit: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pairs taken from `fit` (T, N): best first, each row and column once, only above 0."""
    row, column = np.nonzero(fit > 0)
    best_first = np.argsort(-fit[row, column], kind="stable")
    free_rows, free_columns = [True] * fit.shape[0], [True] * fit.shape[1]
    rows, columns = [], []
    for r, c in zip(row[best_first].tolist(), column[best_first].tolist(), strict=True):
        if free_rows[r] and free_columns[c]:
            free_rows[r] = free_columns[c] = False
            rows.append(r)
            columns.append(c)
    return np.array(rows, np.intp), np.array(columns, np.intp)
