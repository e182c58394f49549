"""Non-maximum suppression in numpy: of boxes that cover the same thing, the best one stays."""

import numpy as np
from numpy.typing import NDArray


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each box of `a` (N, 4) with each of `b` (M, 4): (N, M) f32, 0 for empty boxes."""
    left_top = np.maximum(a[:, None, :2], b[None, :, :2])
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides -= left_top
    np.maximum(sides, 0, out=sides)
    shared = sides[..., 0] * sides[..., 1]
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area_a[:, None] + area_b[None, :] - shared
    overlap: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def suppress(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], class_id: NDArray[np.int32], max_iou: float
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first.

    A box goes when a kept one of its class with a higher score (or the same and a lower index) overlaps it by more
    than `max_iou`. Time and memory grow with N squared: cap N before.
    """
    order = np.argsort(-score, kind="stable")
    if len(order) < 2:
        return order
    boxes, classes = xyxy[order], class_id[order]
    rivals = (iou_matrix(boxes, boxes) > max_iou) & (classes[:, None] == classes[None, :])
    alive = np.ones(len(order), np.bool_)
    for i in np.flatnonzero(np.triu(rivals, 1).any(axis=1)):
        if alive[i]:
            alive[i + 1 :] &= ~rivals[i, i + 1 :]
    return order[alive]
