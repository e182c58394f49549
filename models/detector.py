"""A detector: a frame goes in, `Detections` come out. Serves any number of threads; each call blocks its own.

Raises nothing that depends on the picture; ConfigurationError when the network refuses an input size it should take.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ingest.packet import Frame, Stamp
from models.catalogue import Catalogue, ModelEntry
from models.decoders import Boxes, Decoder
from models.detections import Detections
from models.loading import load_network
from models.network import Network
from models.nms import suppress
from models.picture_input import PictureInput, Placement
from models.processor import default_model
from models.settings import ModelSettings

MAX_DETECTIONS = 300
"""Boxes of one picture that go on, best first: a crowd beyond this cannot be told apart at the input's size."""

UNREPORTED = np.float32(2.0)
"""A minimum that no score reaches."""


class Detector:
    """One loaded network of the catalogue. `class_id` of what it finds indexes `class_names`."""

    def __init__(self, entry: ModelEntry, network: Network, decoder: Decoder) -> None:
        self.entry = entry
        self._network = network
        self._decoder = decoder
        self._input = PictureInput(entry.input)
        self._min_scores = np.array([entry.thresholds.get(name, UNREPORTED) for name in entry.classes], np.float32)

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by class id, those that are never reported included."""
        return self.entry.classes

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The reported classes and the score from which on each is."""
        return self.entry.thresholds

    def detect(self, frame: Frame, min_score: float | None = None) -> Detections:
        """What is in the picture, best first; `min_score` in place of each reported class's threshold, if given."""
        picture, placement = self._input.fill(frame)
        outputs = self._network.run(picture)
        boxes = self._decoder.decode(
            outputs, placement.input_width_px, placement.input_height_px, self._minimums(min_score)
        )
        return self._finish(frame.stamp, boxes, placement)

    def _minimums(self, min_score: float | None) -> NDArray[np.float32]:
        if min_score is None:
            return self._min_scores
        return np.where(self._min_scores < UNREPORTED, np.float32(min_score), UNREPORTED)

    def _finish(self, stamp: Stamp, boxes: Boxes, placement: Placement) -> Detections:
        boxes = _finite(boxes)
        if self.entry.nms_iou is None:
            best = np.argsort(-boxes.score, kind="stable")
        else:
            best = suppress(boxes.xyxy, boxes.score, boxes.class_id, self.entry.nms_iou)
        sides_px = np.array([placement.picture_width_px, placement.picture_height_px] * 2, np.float32)
        xyxy = np.clip(boxes.xyxy[best] / sides_px, 0.0, 1.0)
        kept = ((xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])).nonzero()[0][:MAX_DETECTIONS]
        best = best[kept]
        return Detections(stamp, xyxy[kept], boxes.score[best], boxes.class_id[best])


def _finite(boxes: Boxes) -> Boxes:
    """Those that are numbers: a network may say anything, and one NaN would survive every comparison after this."""
    whole = np.isfinite(boxes.xyxy).all(axis=1) & (boxes.score <= 1.0)
    return boxes if whole.all() else Boxes(boxes.xyxy[whole], boxes.score[whole], boxes.class_id[whole])


def load_detector(settings: ModelSettings, catalogue: Catalogue, name: str | None = None) -> Detector:
    """The detector called `name` (a camera's own choice), else the setting's, else the processor's default.

    Verifies, loads and runs it once; raises ConfigurationError. Load each once and share it.
    """
    entry = catalogue.entry(name or settings.model or default_model())
    return Detector(entry, *load_network(entry))
