"""From a network's raw outputs to boxes: NanoDet, YOLOX, and a plain `boxes, scores, labels`.

Each decoder takes the outputs of one picture and gives `Boxes` in pixels of the input, thresholded but not yet
suppressed. Pure numpy, any thread. What a network says may be anything: numbers that are not finite, negative sides and
unknown labels are dropped. `check` raises ConfigurationError when outputs have another form than the entry says.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.catalogue import DecoderKind, ModelEntry
from runtime.errors import ConfigurationError
from runtime.language import say

STRIDES_PX = (8, 16, 32)
"""The three grids of NanoDet and YOLOX, in this order in their outputs."""

NANODET_BINS = 11
"""NanoDet gives each side of a box as a distribution over 0 to 10 strides."""

YOLOX_MAX_EXPONENT = 8.0
"""exp(8) strides are wider than any picture: caps what a network may say before it overflows."""

MAX_CANDIDATES = 1024
"""Boxes that go into suppression, best first: its time grows with their square (1,024: a few milliseconds)."""

CACHED_SIZES = 16
"""Input sizes whose grids are kept; a picture's aspect decides the size, and cameras have few aspects."""


class Boxes(NamedTuple):
    """xyxy (N, 4) f32 in pixels of the network's input, score (N,) f32, class_id (N,) i32."""

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]


class Anchors(NamedTuple):
    """Corner (A, 2) f32 of each cell and its stride (A,) f32, in pixels of the input."""

    corner_px: NDArray[np.float32]
    stride_px: NDArray[np.float32]


class Decoder(Protocol):
    def check(self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int) -> None:
        """Raise ConfigurationError unless `outputs` of an input of this size have the form this decodes."""

    def decode(
        self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int, min_scores: NDArray[np.float32]
    ) -> Boxes:
        """The boxes whose score is at least `min_scores` (C,) at their class; above 1 there: it is not reported."""


def decoder_for(entry: ModelEntry, output_names: tuple[str, ...]) -> Decoder:
    """The decoder the entry names, tied to the network's outputs; raises ConfigurationError when one is missing."""
    if entry.decoder is DecoderKind.NANODET:
        return NanoDetDecoder(entry, _places(entry, output_names, ("scores", "dist")))
    if entry.decoder is DecoderKind.YOLOX:
        if len(output_names) != 1:
            raise ConfigurationError(
                say(
                    zh=f"模型 {entry.name}：yolox 解码须有一个输出，而它有 {', '.join(output_names)}",
                    en=f"model {entry.name}: the yolox decoder needs one output, but there are "
                    f"{', '.join(output_names)}",
                )
            )
        return YoloxDecoder(entry)
    return PlainDecoder(entry, _places(entry, output_names, ("boxes", "scores", "labels")))


def _places(entry: ModelEntry, output_names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[int, ...]:
    if missing := [name for name in wanted if name not in output_names]:
        raise ConfigurationError(
            say(
                zh=f"模型 {entry.name}：{entry.decoder.value} 解码须有输出 {', '.join(wanted)}；"
                f"它的输出 {', '.join(output_names)} 中缺少 {', '.join(missing)}",
                en=f"model {entry.name}: the {entry.decoder.value} decoder needs the outputs {', '.join(wanted)}; "
                f"{', '.join(missing)} is missing among {', '.join(output_names)}",
            )
        )
    return tuple(output_names.index(name) for name in wanted)


@lru_cache(maxsize=CACHED_SIZES)
def anchors(width_px: int, height_px: int) -> Anchors:
    """The cells of all strides, row by row, in the order of the outputs."""
    corners, strides = [], []
    for stride in STRIDES_PX:
        columns, rows = np.meshgrid(np.arange(width_px // stride), np.arange(height_px // stride))
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1) * stride)
        strides.append(np.full(columns.size, stride))
    return Anchors(np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32))


def candidates(
    scores: NDArray[np.float32], min_scores: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.int32]]:
    """Row, score and class of each place in `scores` (A, C) at or above `min_scores` (C,), the best if many."""
    # Flat and against one number first: both pass over the whole array several times faster so.
    flat = scores.reshape(-1)
    place = np.flatnonzero(flat >= min_scores.min())
    score = flat[place]
    row, class_id = np.divmod(place, scores.shape[1])
    passed = score >= min_scores[class_id]
    if np.count_nonzero(passed) > MAX_CANDIDATES:
        weakest_first = np.argsort(np.where(passed, score, -1.0), kind="stable")
        passed[weakest_first[:-MAX_CANDIDATES]] = False
    return row[passed], score[passed], class_id[passed].astype(np.int32)


class NanoDetDecoder:
    """`scores` (1, A, C) already sigmoid, `dist` (1, A, 44): four sides (left, top, right, bottom) of 11 bins.

    A side is the expectation of its bins' softmax, in strides, from the cell's centre (Generalized Focal Loss,
    Li et al. 2020); computed only for cells that pass the threshold.
    """

    def __init__(self, entry: ModelEntry, places: tuple[int, ...]) -> None:
        self._name = entry.name
        self._class_count = len(entry.classes)
        self._scores_at, self._dist_at = places
        self._bins = np.arange(NANODET_BINS, dtype=np.float32)

    def check(self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int) -> None:
        cells = len(anchors(width_px, height_px).stride_px)
        _expect(self._name, "scores", outputs[self._scores_at], (1, cells, self._class_count))
        _expect(self._name, "dist", outputs[self._dist_at], (1, cells, 4 * NANODET_BINS))

    def decode(
        self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int, min_scores: NDArray[np.float32]
    ) -> Boxes:
        row, score, class_id = candidates(outputs[self._scores_at][0], min_scores)
        grid = anchors(width_px, height_px)
        stride_px = grid.stride_px[row, None]
        bins = outputs[self._dist_at][0][row].reshape(-1, 4, NANODET_BINS)
        weight = np.exp(bins - bins.max(axis=2, keepdims=True))
        sides_px = (weight @ self._bins) / weight.sum(axis=2) * stride_px
        centre_px = grid.corner_px[row] + stride_px / 2
        return Boxes(np.hstack([centre_px - sides_px[:, :2], centre_px + sides_px[:, 2:]]), score, class_id)


class YoloxDecoder:
    """One output (1, A, 5 + C): centre and size relative to the cell, objectness, class scores (both already sigmoid).

    centre = (out + cell) * stride, size = exp(out) * stride, score = objectness * class (Ge et al. 2021).
    """

    def __init__(self, entry: ModelEntry) -> None:
        self._name = entry.name
        self._class_count = len(entry.classes)

    def check(self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int) -> None:
        cells = len(anchors(width_px, height_px).stride_px)
        _expect(self._name, "output", outputs[0], (1, cells, 5 + self._class_count))

    def decode(
        self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int, min_scores: NDArray[np.float32]
    ) -> Boxes:
        raw = outputs[0][0]
        # No class scores above 1, so a cell whose objectness alone is too low cannot pass.
        hopeful = np.flatnonzero(raw[:, 4] >= min_scores.min())
        cells = raw[hopeful]
        row, score, class_id = candidates(cells[:, 5:] * cells[:, 4:5], min_scores)
        grid = anchors(width_px, height_px)
        stride_px = grid.stride_px[hopeful[row], None]
        centre_px = cells[row, :2] * stride_px + grid.corner_px[hopeful[row]]
        half_px = np.exp(np.minimum(cells[row, 2:4], YOLOX_MAX_EXPONENT)) * stride_px / 2
        return Boxes(np.hstack([centre_px - half_px, centre_px + half_px]), score, class_id)


class PlainDecoder:
    """`boxes` (N, 4) xyxy, `scores` (N,), `labels` (N,), each perhaps behind a leading 1; suppressed by the network."""

    def __init__(self, entry: ModelEntry, places: tuple[int, ...]) -> None:
        self._name = entry.name
        self._class_count = len(entry.classes)
        self._in_fractions = entry.box_unit == "fractions"
        self._boxes_at, self._scores_at, self._labels_at = places

    def check(self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int) -> None:
        boxes, scores, labels = self._arrays(outputs)
        count = len(scores)
        for name, array, wanted in (
            ("boxes", boxes, (count, 4)),
            ("scores", scores, (count,)),
            ("labels", labels, (count,)),
        ):
            _expect(self._name, name, array, wanted)

    def decode(
        self, outputs: Sequence[NDArray[Any]], width_px: int, height_px: int, min_scores: NDArray[np.float32]
    ) -> Boxes:
        boxes, scores, labels = self._arrays(outputs)
        known = np.flatnonzero((labels >= 0) & (labels < self._class_count))
        class_id = labels[known].astype(np.int32)
        passed = (scores[known] <= 1.0) & (scores[known] >= min_scores[class_id])
        rows, class_id = known[passed], class_id[passed]
        xyxy, score = boxes[rows].astype(np.float32), scores[rows].astype(np.float32)
        if self._in_fractions:
            xyxy *= np.array([width_px, height_px, width_px, height_px], np.float32)
        best = np.argsort(-score, kind="stable")[:MAX_CANDIDATES]
        return Boxes(xyxy[best], score[best], class_id[best])

    def _arrays(self, outputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        boxes, scores, labels = (outputs[at] for at in (self._boxes_at, self._scores_at, self._labels_at))
        return (
            boxes[0] if boxes.ndim == 3 and len(boxes) == 1 else boxes,
            scores[0] if scores.ndim == 2 and len(scores) == 1 else scores,
            labels[0] if labels.ndim == 2 and len(labels) == 1 else labels,
        )


def _expect(model: str, output: str, array: NDArray[Any], wanted: tuple[int, ...]) -> None:
    is_number = array.dtype.kind in "fiu"
    if array.shape != wanted or not is_number:
        raise ConfigurationError(
            say(
                zh=f"模型 {model}：输出 {output} 是 {array.dtype} {list(array.shape)}，应为 {list(wanted)} 的数字；"
                "请检查模型目录中的 decoder、classes 和 input",
                en=f"model {model}: output {output} is {array.dtype} {list(array.shape)}, expected numbers "
                f"{list(wanted)}; check decoder, classes and input in its catalogue entry",
            )
        )
