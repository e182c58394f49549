"""Which detection belongs to which track: one similarity matrix, one greedy pass. Pure functions over arrays.

Overlap is the wrong question at five frames a second, where a walking person has left their last box; nearness in body
lengths, with a gate that opens while a track is unseen, is the right one.
"""

import numpy as np
from numpy.typing import NDArray

NOISE_LENGTHS = 0.4
"""How far, in lengths of the object, a detector's box may jump although nothing moved."""


def similarity(
    offset: NDArray[np.float64],
    length: tuple[NDArray[np.float64], NDArray[np.float64]],
    height: tuple[NDArray[np.float64], NDArray[np.float64]],
    gate_lengths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How well each of T tracks fits each of N detections: (T, N), 1 for the same place and height, 0 outside the gate.

    `offset` (T, N) is the distance of the centres, `length` the longer side and `height` the height of tracks (T,) and
    detections (N,), all in one unit; `gate_lengths` (T,) is the distance at which a track stops matching, in lengths.
    """
    mean_length = (length[0][:, None] + length[1][None, :]) / 2
    nearness = np.maximum(0.0, 1.0 - offset / (mean_length * gate_lengths[:, None]))
    ratio = height[0][:, None] / height[1][None, :]
    fit: NDArray[np.float64] = nearness * np.minimum(ratio, 1.0 / ratio)
    return fit


def match_greedily(fit: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the pairs taken from `fit` (T, N), best first, each row and column once, none that is 0."""
    row, column = np.nonzero(fit)
    best_first = np.argsort(-fit[row, column], kind="stable")
    free_rows, free_columns = [True] * fit.shape[0], [True] * fit.shape[1]
    taken = []
    for r, c in zip(row[best_first].tolist(), column[best_first].tolist(), strict=True):
        if free_rows[r] and free_columns[c]:
            free_rows[r] = free_columns[c] = False
            taken.append((r, c))
    pairs = np.array(taken, np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
