"""The detector around a network that says what the test wants: input, placement, and hostile outputs."""

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.packet import Frame, Stamp
from models.catalogue import InputForm, ModelEntry, load_catalogue
from models.decoders import PlainDecoder
from models.detector import MAX_DETECTIONS, Detector
from models.picture_input import PictureInput, place

FOLLOWING = load_catalogue().entry("nanodet-g").input


def form(**changes: Any) -> InputForm:
    return InputForm.model_validate({"width_px": 64, "height_px": 32} | changes)


def picture(width_px: int, height_px: int, bgr: tuple[int, int, int] = (200, 100, 50)) -> Frame:
    image = np.full((height_px, width_px, 3), bgr, np.uint8)
    return Frame(Stamp("c", 0, 7), av.VideoFrame.from_ndarray(image, "bgr24"))


@pytest.mark.parametrize(
    ("picture_px", "input_px"),
    [
        ((768, 576), (384, 288)),
        ((640, 480), (384, 288)),
        ((1920, 1080), (448, 256)),
        ((2560, 1440), (448, 256)),
        ((704, 576), (352, 288)),
        ((1080, 1920), (256, 448)),
        ((640, 272), (512, 224)),
    ],
)
def test_the_input_follows_the_pictures_aspect(picture_px: tuple[int, int], input_px: tuple[int, int]) -> None:
    placed = place(FOLLOWING, *picture_px)
    assert (placed.input_width_px, placed.input_height_px) == input_px
    assert (placed.picture_width_px, placed.picture_height_px) == input_px


def test_any_picture_costs_about_the_same_in_one_of_few_sizes() -> None:
    rng = np.random.default_rng(1)
    sizes = {place(FOLLOWING, *rng.integers(2, 8000, 2).tolist())[:2] for _ in range(300)}
    assert len(sizes) < 40
    assert max(width_px * height_px for width_px, height_px in sizes) <= 384 * 288 * 1.08
    assert min(width_px * height_px for width_px, height_px in sizes) >= 384 * 288 * 0.75
    assert all(width_px % 32 == height_px % 32 == 0 for width_px, height_px in sizes)


def test_a_letterboxed_picture_lies_top_left_on_grey() -> None:
    filled, placed = PictureInput(form(fit="letterbox")).fill(picture(40, 40, (10, 10, 10)))
    assert placed == (64, 32, 32, 32)
    assert filled[0, :, :, :32] == pytest.approx(10, abs=3)
    assert filled[0, :, :, 32:] == pytest.approx(114)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["bgr", "rgb"])
@pytest.mark.parametrize("full_scale", [1, 255])
def test_layout_colour_and_scale_are_as_the_entry_says(layout: str, colour: str, full_scale: int) -> None:
    filled, _ = PictureInput(form(layout=layout, colour=colour, full_scale=full_scale)).fill(picture(64, 32))
    assert filled.shape == ((1, 3, 32, 64) if layout == "nchw" else (1, 32, 64, 3))
    channels = filled[0] if layout == "nchw" else filled[0].transpose(2, 0, 1)
    wanted = (200, 100, 50) if colour == "bgr" else (50, 100, 200)
    for channel, value in zip(channels, wanted, strict=True):
        assert channel == pytest.approx(value / 255 * full_scale, abs=2 / 255 * full_scale)


def test_a_thread_reuses_its_buffer_and_keeps_a_bounded_number() -> None:
    filler = PictureInput(form(multiple_px=32, width_px=128, height_px=128))
    first, _ = filler.fill(picture(64, 64))
    again, _ = filler.fill(picture(32, 32))
    assert again is first
    shapes = [(64, 64), (128, 64), (64, 128), (200, 60), (60, 200), (160, 100)]
    buffers = [filler.fill(picture(*shape))[0] for shape in shapes]
    assert filler.fill(picture(*shapes[-1]))[0] is buffers[-1]
    assert filler.fill(picture(64, 64))[0] is not first


class SaysAnything:
    """Stands in for a network: gives what it was made with."""

    def __init__(self, outputs: Sequence[NDArray[Any]]) -> None:
        self._outputs = list(outputs)

    def run(self, _picture: NDArray[np.float32]) -> list[NDArray[Any]]:
        return self._outputs


def detector(boxes: object, scores: object, labels: object, nms_iou: float | None = None) -> Detector:
    entry = ModelEntry.model_validate(
        {
            "name": "anything",
            "file": "none",
            "sha256": "0" * 64,
            "licence": "none",
            "source": "made up",
            "decoder": "boxes_scores_labels",
            "input": {"width_px": 64, "height_px": 32},
            "classes": ["person", "tree", "dog"],
            "thresholds": {"person": 0.5, "dog": 0.6},
            "box_unit": "fractions",
            "nms_iou": nms_iou,
        }
    )
    outputs = [np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32), np.array(labels, np.int64)]
    return Detector(entry, SaysAnything(outputs), PlainDecoder(entry, (0, 1, 2)))


BOX = [0.1, 0.2, 0.3, 0.4]


def test_each_reported_class_has_its_threshold_and_others_are_not_reported() -> None:
    found = detector([BOX] * 4, [0.55, 0.55, 0.65, 0.99], [0, 2, 2, 1]).detect(picture(64, 32))
    assert found.class_id.tolist() == [2, 0]
    assert found.stamp.t_ns == 7


def test_a_minimum_given_holds_for_all_reported_classes_and_no_other() -> None:
    found = detector([BOX] * 4, [0.15, 0.05, 0.2, 0.99], [0, 0, 2, 1]).detect(picture(64, 32), 0.1)
    assert found.class_id.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("box", "score"),
    [
        ([np.nan, 0, 1, 1], 0.9),
        ([0, 0, np.inf, 1], 0.9),
        ([0.5, 0.5, 0.4, 0.6], 0.9),
        ([1.2, 0.2, 1.5, 0.4], 0.9),
        ([0.2, 0.2, 0.2, 0.4], 0.9),
        (BOX, np.nan),
        (BOX, np.inf),
        (BOX, 1.5),
    ],
)
def test_what_cannot_be_a_box_in_the_picture_is_dropped(box: list[float], score: float) -> None:
    found = detector([box, BOX], [score, 0.7], [0, 0], nms_iou=0.5).detect(picture(64, 32))
    assert found.xyxy == pytest.approx(np.array([BOX]))


def test_a_crowd_beyond_the_cap_gives_the_best() -> None:
    scores = np.linspace(0.5, 0.99, 900)
    found = detector(np.tile(BOX, (900, 1)), scores, np.zeros(900)).detect(picture(64, 32))
    assert len(found) == MAX_DETECTIONS
    assert found.score[0] == pytest.approx(0.99)
    assert found.score.min() > 0.8


def test_boxes_of_a_plain_network_are_suppressed_only_if_the_entry_says_so() -> None:
    assert len(detector([BOX, BOX], [0.8, 0.7], [0, 0]).detect(picture(64, 32))) == 2
    assert len(detector([BOX, BOX], [0.8, 0.7], [0, 0], nms_iou=0.5).detect(picture(64, 32))) == 1
