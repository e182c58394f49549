"""Decoders and suppression against plain loops that say the same thing slowly."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.catalogue import load_catalogue
from models.decoders import MAX_CANDIDATES, NanoDetDecoder, YoloxDecoder, anchors
from models.nms import iou_matrix, suppress

ENTRY = load_catalogue().entry("nanodet-g")
PERSON, CAR = 0, 2
WIDTH_PX, HEIGHT_PX = 96, 64


def some_boxes(count: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    return np.hstack([corner, corner + rng.uniform(5, 40, (count, 2))]).astype(np.float32)


def plain_iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared))


def plain_suppress(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], class_id: NDArray[np.int32], max_iou: float
) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(score)), key=lambda at: -score[at]):
        if all(class_id[i] != class_id[k] or plain_iou(xyxy[i], xyxy[k]) <= max_iou for k in kept):
            kept.append(i)
    return kept


def test_overlap_is_that_of_the_plain_formula() -> None:
    a, b = some_boxes(7, 1), some_boxes(5, 2)
    expected = [[plain_iou(one, other) for other in b] for one in a]
    assert iou_matrix(a, b) == pytest.approx(np.array(expected), abs=1e-5)


def test_overlap_of_empty_boxes_is_nothing() -> None:
    point = np.array([[1, 1, 1, 1]], np.float32)
    assert iou_matrix(point, point).tolist() == [[0.0]]
    assert iou_matrix(np.zeros((0, 4), np.float32), point).shape == (0, 1)


@pytest.mark.parametrize("seed", range(8))
def test_suppression_keeps_what_the_plain_loop_keeps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xyxy, score = some_boxes(80, seed), rng.random(80).astype(np.float32)
    class_id = rng.integers(0, 3, 80).astype(np.int32)
    max_iou = [0.3, 0.5, 0.6, 0.9][seed % 4]
    assert suppress(xyxy, score, class_id, max_iou).tolist() == plain_suppress(xyxy, score, class_id, max_iou)


@pytest.mark.parametrize("seed", range(4))
def test_suppression_keeps_what_opencv_keeps(seed: int) -> None:
    xyxy, score = some_boxes(60, seed), np.random.default_rng(seed).random(60).astype(np.float32)
    as_xywh = np.hstack([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]])
    expected = np.ravel(cv2.dnn.NMSBoxes(as_xywh.tolist(), score.tolist(), 0.0, 0.5)).tolist()
    assert suppress(xyxy, score, np.zeros(60, np.int32), 0.5).tolist() == expected


@pytest.mark.parametrize("count", [0, 1])
def test_suppression_of_none_or_one_keeps_all(count: int) -> None:
    kept = suppress(some_boxes(count, 1), np.ones(count, np.float32), np.zeros(count, np.int32), 0.5)
    assert kept.tolist() == list(range(count))


def minimums(person: float, car: float) -> NDArray[np.float32]:
    scores = np.full(80, 2.0, np.float32)
    scores[[PERSON, CAR]] = person, car
    return scores


def test_cells_are_listed_stride_by_stride_and_row_by_row() -> None:
    grid = anchors(WIDTH_PX, HEIGHT_PX)
    assert grid.stride_px.tolist() == [8] * 96 + [16] * 24 + [32] * 6
    assert grid.corner_px[[0, 1, 12, 96, 97, 102, 125]].tolist() == [
        [0, 0],
        [8, 0],
        [0, 8],
        [0, 0],
        [16, 0],
        [0, 16],
        [64, 32],
    ]


def test_nanodet_boxes_are_those_of_the_plain_formula() -> None:
    rng = np.random.default_rng(5)
    grid = anchors(WIDTH_PX, HEIGHT_PX)
    cells = len(grid.stride_px)
    scores = rng.random((1, cells, 80)).astype(np.float32) * 0.5
    dist = rng.normal(0, 3, (1, cells, 44)).astype(np.float32)
    scores[0, 40, PERSON], scores[0, 110, CAR], scores[0, 123, PERSON] = 0.9, 0.8, 0.7
    found = NanoDetDecoder(ENTRY, (0, 1)).decode([scores, dist], WIDTH_PX, HEIGHT_PX, minimums(0.6, 0.6))
    assert sorted(zip(found.score.tolist(), found.class_id.tolist(), strict=True)) == [
        (pytest.approx(0.7), PERSON),
        (pytest.approx(0.8), CAR),
        (pytest.approx(0.9), PERSON),
    ]
    for row, cell in enumerate(sorted([40, 110, 123])):
        sides = []
        for side in dist[0, cell].reshape(4, 11):
            weights = [math.exp(value - side.max()) for value in side.tolist()]
            sides.append(sum(i * weight for i, weight in enumerate(weights)) / sum(weights) * grid.stride_px[cell])
        x, y = grid.corner_px[cell] + grid.stride_px[cell] / 2
        assert found.xyxy[row].tolist() == pytest.approx(
            [x - sides[0], y - sides[1], x + sides[2], y + sides[3]], abs=1e-3
        )


def test_a_cell_of_two_classes_gives_two_boxes() -> None:
    cells = len(anchors(WIDTH_PX, HEIGHT_PX).stride_px)
    scores = np.zeros((1, cells, 80), np.float32)
    scores[0, 3, [PERSON, CAR, 50]] = 0.9
    found = NanoDetDecoder(ENTRY, (0, 1)).decode(
        [scores, np.zeros((1, cells, 44), np.float32)], WIDTH_PX, HEIGHT_PX, minimums(0.5, 0.5)
    )
    assert sorted(found.class_id.tolist()) == [PERSON, CAR]


def test_each_class_has_its_own_threshold_and_meets_it_when_equal() -> None:
    cells = len(anchors(WIDTH_PX, HEIGHT_PX).stride_px)
    scores = np.zeros((1, cells, 80), np.float32)
    scores[0, 3, PERSON], scores[0, 4, CAR], scores[0, 5, CAR] = 0.5, 0.5, 0.75
    found = NanoDetDecoder(ENTRY, (0, 1)).decode(
        [scores, np.zeros((1, cells, 44), np.float32)], WIDTH_PX, HEIGHT_PX, minimums(0.5, 0.75)
    )
    assert sorted(found.class_id.tolist()) == [PERSON, CAR]


def test_a_network_that_sees_things_everywhere_gives_the_best_up_to_the_cap() -> None:
    cells = len(anchors(384, 288).stride_px)
    scores = np.random.default_rng(1).uniform(0.5, 1.0, (1, cells, 80)).astype(np.float32)
    found = NanoDetDecoder(ENTRY, (0, 1)).decode(
        [scores, np.zeros((1, cells, 44), np.float32)], 384, 288, minimums(0.5, 0.5)
    )
    assert len(found.score) == MAX_CANDIDATES
    of_both = np.sort(scores[0][:, [PERSON, CAR]].ravel())
    assert found.score.min() == of_both[-MAX_CANDIDATES]


def test_yolox_boxes_are_those_of_the_plain_formula() -> None:
    rng = np.random.default_rng(6)
    grid = anchors(WIDTH_PX, HEIGHT_PX)
    raw = rng.random((1, len(grid.stride_px), 85)).astype(np.float32)
    raw[0, :, 4] *= 0.5
    raw[0, 100, 4], raw[0, 100, 5 + PERSON] = 0.9, 0.8
    found = YoloxDecoder(ENTRY).decode([raw], WIDTH_PX, HEIGHT_PX, minimums(0.6, 0.95))
    assert found.class_id.tolist() == [PERSON]
    assert found.score.tolist() == pytest.approx([0.72])
    dx, dy, dw, dh = raw[0, 100, :4].tolist()
    (column_px, row_px), stride = grid.corner_px[100].tolist(), float(grid.stride_px[100])
    x, y, w, h = dx * stride + column_px, dy * stride + row_px, math.exp(dw) * stride, math.exp(dh) * stride
    assert found.xyxy[0].tolist() == pytest.approx([x - w / 2, y - h / 2, x + w / 2, y + h / 2], rel=1e-4)


def test_a_yolox_size_beyond_all_bounds_does_not_overflow() -> None:
    raw = np.zeros((1, len(anchors(WIDTH_PX, HEIGHT_PX).stride_px), 85), np.float32)
    raw[0, 0] = 1.0
    raw[0, 0, 2:4] = 1e30
    found = YoloxDecoder(ENTRY).decode([raw], WIDTH_PX, HEIGHT_PX, minimums(0.5, 0.5))
    assert np.isfinite(found.xyxy).all()
