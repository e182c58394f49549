"""What a detector found in one picture: one struct of arrays, never a list of boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.packet import Stamp


@dataclass(frozen=True, slots=True)
class Detections:
    """xyxy (N, 4) f32 in fractions of the picture, x1 <= x2, y1 <= y2; score (N,) f32; class_id (N,) i32; N >= 0."""

    stamp: Stamp
    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.score)

    def where(self, keep: NDArray[np.bool_]) -> "Detections":
        """Those whose place in `keep` (N,) is true."""
        return Detections(self.stamp, self.xyxy[keep], self.score[keep], self.class_id[keep])
