"""Non-maximum suppression in numpy: of boxes that cover the same thing, the best one stays."""

import numpy as np
from numpy.typing import NDArray


def iou_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of each box of `a` (N, 4) with each of `b` (M, 4): (N, M) f32, 0 for empty boxes."""
    # Side by side, not as (N, M, 2): numpy is slow where the last axis is short.
    shared = np.minimum(a[:, 2, None], b[:, 2])
    shared -= np.maximum(a[:, 0, None], b[:, 0])
    np.maximum(shared, 0, out=shared)
    height = np.minimum(a[:, 3, None], b[:, 3])
    height -= np.maximum(a[:, 1, None], b[:, 1])
    shared *= np.maximum(height, 0, out=height)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area_a[:, None] + area_b
    union -= shared
    overlap: NDArray[np.float32] = np.divide(shared, union, out=shared, where=union > 0)
    return overlap


def suppress(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], class_id: NDArray[np.int32], max_iou: float
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, best score first.

    A box goes when a kept one of its class with a higher score (or the same and a lower index) overlaps it by more
    than `max_iou`. Time and memory grow with N squared: cap N before.
    """
    order = np.argsort(-score, kind="stable")
    boxes, classes = xyxy[order], class_id[order]
    rivals = (iou_matrix(boxes, boxes) > max_iou) & (classes[:, None] == classes)
    kept, rest = [], np.arange(len(order))
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(best)
        rest = rest[~rivals[best, rest]]
    return order[kept]
