"""Detectors as they ship, on real footage, and as a user adds them: each decoder with a network built for the test.

Footage from `tests.servers.footage`; networks of constants from `onnx`. No server.
"""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ingest.packet import Frame, Stamp
from models.catalogue import Catalogue, load_catalogue
from models.decoders import anchors
from models.detections import Detections
from models.detector import Detector, load_detector
from models.nms import iou_matrix
from models.settings import ModelSettings
from runtime.errors import ConfigurationError
from tests.servers.footage import footage

SHIPPED = ("nanodet-g", "nanodet-g-int8")
FRAMES = 8
SURE_SCORE = 0.6


@pytest.fixture(scope="module")
def street() -> list[Frame]:
    """Key frames of the street camera, 1080p, two seconds apart; people walk in each."""
    with av.open(str(footage("street"))) as source:
        stream = source.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        pictures = (picture for picture in source.decode(stream))
        return [
            Frame(Stamp("street", i, i * 2_000_000_000), picture)
            for i, picture in zip(range(FRAMES), pictures, strict=False)
        ]


@pytest.fixture(scope="module")
def shipped() -> dict[str, Detector]:
    catalogue = load_catalogue()
    return {name: load_detector(ModelSettings(), catalogue, name) for name in SHIPPED}


def persons(found: Detections) -> Detections:
    return found.where(found.class_id == 0)


@pytest.mark.parametrize("name", SHIPPED)
def test_people_in_the_street_are_found_in_every_frame(
    name: str, shipped: dict[str, Detector], street: list[Frame]
) -> None:
    assert len(street) == FRAMES
    for frame in street:
        found = shipped[name].detect(frame)
        assert found.stamp is frame.stamp
        people = persons(found)
        assert len(people) >= 2
        height = people.xyxy[:, 3] - people.xyxy[:, 1]
        width = people.xyxy[:, 2] - people.xyxy[:, 0]
        assert 0.05 < np.median(height) < 0.5
        assert np.median(height / (width * 16 / 9)) > 1.5, "people stand upright"


def test_eight_bits_and_floats_find_the_same_people(shipped: dict[str, Detector], street: list[Frame]) -> None:
    same = total = 0
    for frame in street:
        floats, ints = (persons(shipped[name].detect(frame, 0.35)) for name in SHIPPED)
        for one, other in ((floats, ints), (ints, floats)):
            sure = one.xyxy[one.score >= SURE_SCORE]
            total += len(sure)
            same += int((iou_matrix(sure, other.xyxy) > 0.5).any(axis=1).sum()) if len(other) else 0
    assert total > 4 * FRAMES
    assert same / total > 0.9


def test_boxes_are_in_fractions_best_first_and_above_their_thresholds(
    shipped: dict[str, Detector], street: list[Frame]
) -> None:
    detector = shipped["nanodet-g"]
    for frame in street:
        found = detector.detect(frame)
        assert found.xyxy.dtype == np.float32
        assert found.class_id.dtype == np.int32
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= 1).all()
        assert (np.diff(found.score) <= 0).all()
        names = [detector.class_names[class_id] for class_id in found.class_id]
        assert all(
            score >= np.float32(detector.thresholds[name]) for score, name in zip(found.score, names, strict=True)
        )


def test_a_lower_minimum_finds_more(shipped: dict[str, Detector], street: list[Frame]) -> None:
    detector = shipped["nanodet-g"]
    usual, more = detector.detect(street[0]), detector.detect(street[0], 0.1)
    assert len(more) > len(usual)
    assert more.score.min() < 0.3
    assert {detector.class_names[i] for i in more.class_id} <= set(detector.thresholds)


def test_one_detector_serves_several_threads(shipped: dict[str, Detector], street: list[Frame]) -> None:
    detector = shipped["nanodet-g-int8"]
    alone = [detector.detect(frame) for frame in street]
    together: dict[int, Detections] = {}

    def work(first: int) -> None:
        for i in range(first, FRAMES, 2):
            together[i] = detector.detect(street[i])

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, expected in enumerate(alone):
        assert np.array_equal(together[i].xyxy, expected.xyxy)


@pytest.mark.parametrize("size_px", [(96, 64), (640, 480), (300, 1000), (1000, 20)])
def test_pictures_of_any_shape_are_taken(size_px: tuple[int, int], shipped: dict[str, Detector]) -> None:
    width_px, height_px = size_px
    noise = np.random.default_rng(1).integers(0, 255, (height_px, width_px, 3), np.uint8)
    frame = Frame(Stamp("c", 0, 0), av.VideoFrame.from_ndarray(noise, "bgr24").reformat(format="yuv420p"))
    found = shipped["nanodet-g"].detect(frame, 0.01)
    assert (found.xyxy[:, 2:] > found.xyxy[:, :2]).all()
    assert len(found) <= 300


@pytest.mark.parametrize("name", SHIPPED)
def test_a_tampered_file_is_refused_by_name_and_hash(name: str, tmp_path: Path) -> None:
    entry = load_catalogue().entry(name)
    raw = bytearray(entry.file.read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "tampered.onnx").write_bytes(raw)
    tampered = entry.model_copy(update={"file": tmp_path / "tampered.onnx"})
    with pytest.raises(ConfigurationError, match=rf"model {name}: .*tampered\.onnx is not the file .*{entry.sha256}"):
        load_detector(ModelSettings(), Catalogue([tampered]), name)


# A user's own networks: constants in, so that the right answer is known.

Outputs = dict[str, NDArray[np.generic]]


def build_network(path: Path, outputs: Outputs, input_shape: list[int | str]) -> None:
    """An ONNX file that takes a picture and gives `outputs`, whatever is in it."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name + "_value"))
        for name, value in outputs.items()
    ]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in outputs.items()
    ]
    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, input_shape)
    graph = helper.make_graph(nodes, "made-for-a-test", [taken], infos)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


AddModel = Callable[..., Detector]


@pytest.fixture
def add_model(tmp_path: Path) -> AddModel:
    """Adds a network of constants by a further catalogue file, as a user does, and loads it."""

    def add(
        outputs: Outputs,
        decoder: str,
        *,
        more: str = "",
        size: str = "width_px = 64, height_px = 64",
        input_shape: tuple[int | str, ...] = (1, 3, 64, 64),
    ) -> Detector:
        file = tmp_path / "own.onnx"
        build_network(file, outputs, list(input_shape))
        further = tmp_path / "models.toml"
        further.write_text(
            f"""
            [[model]]
            name = "own"
            file = "own.onnx"
            sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"
            licence = "CC0-1.0"
            source = "made for a test"
            decoder = "{decoder}"
            input = {{ {size} }}
            classes = ["person", "boat", "tree"]
            thresholds = {{ person = 0.5, boat = 0.6 }}
            {more}
            """
        )
        settings = ModelSettings(model="own", model_catalogue=further)
        return load_detector(settings, load_catalogue(settings.model_catalogue))

    return add


def grey(width_px: int = 128, height_px: int = 128) -> Frame:
    image = np.full((height_px, width_px, 3), 90, np.uint8)
    return Frame(Stamp("c", 0, 0), av.VideoFrame.from_ndarray(image, "bgr24").reformat(format="yuv420p"))


def named(detector: Detector, found: Detections) -> list[tuple[str, float, list[float]]]:
    return [
        (detector.class_names[class_id], round(float(score), 3), [round(float(side), 3) for side in box])
        for class_id, score, box in zip(found.class_id, found.score, found.xyxy, strict=True)
    ]


def test_a_users_yolox_network_works_by_a_catalogue_entry(add_model: AddModel) -> None:
    grid = anchors(64, 64)
    raw = np.zeros((1, len(grid.stride_px), 8), np.float32)
    cell = 64 + 5  # of the second grid (4 x 4 cells of 16 px): column 1, row 1
    assert grid.corner_px[cell].tolist() == [16, 16]
    raw[0, cell] = [0.5, 1.0, np.log(1.5), np.log(2.0), 0.9, 1.0, 0.1, 1.0]
    raw[0, cell + 1] = [-0.4, 1.0, np.log(1.5), np.log(2.0), 0.8, 1.0, 0.0, 0.0]  # nearly the same box
    detector = add_model({"output": raw}, "yolox", more="nms_iou = 0.6")
    # centre (24, 32), size 24 x 32 of 64: the tree has no threshold and is not reported
    assert named(detector, detector.detect(grey())) == [("person", 0.9, [0.188, 0.25, 0.562, 0.75])]


def test_a_letterboxed_input_gives_boxes_of_the_picture(add_model: AddModel) -> None:
    grid = anchors(64, 64)
    raw = np.zeros((1, len(grid.stride_px), 8), np.float32)
    raw[0, 64] = [1.0, 1.0, 0.0, 0.0, 0.9, 1.0, 0.0, 0.0]  # centre (16, 16), 16 x 16, in an input of 64 x 64
    size = 'width_px = 64, height_px = 64, fit = "letterbox"'
    detector = add_model({"output": raw}, "yolox", more="nms_iou = 0.6", size=size)
    # A picture twice as wide as high fills the upper half.
    assert named(detector, detector.detect(grey(256, 128))) == [("person", 0.9, [0.125, 0.25, 0.375, 0.75])]


def test_a_users_nanodet_network_works_by_a_catalogue_entry(add_model: AddModel) -> None:
    grid = anchors(64, 64)
    scores = np.zeros((1, len(grid.stride_px), 3), np.float32)
    sides = np.zeros((1, len(grid.stride_px), 4, 11), np.float32)
    cell = 64 + 16  # the first of the third grid, 32 px, centre (16, 16)
    scores[0, cell] = [0.7, 0.65, 0.9]
    sides[0, cell, [0, 1], 0] = 50.0  # left and top: surely 0 strides
    sides[0, cell, [2, 3], 1] = 50.0  # right and bottom: surely 1 stride
    detector = add_model({"scores": scores, "dist": sides.reshape(1, -1, 44)}, "nanodet", more="nms_iou = 0.6")
    box = [0.25, 0.25, 0.75, 0.75]
    assert named(detector, detector.detect(grey())) == [("person", 0.7, box), ("boat", 0.65, box)]


@pytest.mark.parametrize(("unit", "scale"), [("pixels", 64.0), ("fractions", 1.0)])
@pytest.mark.parametrize("leading", [True, False])
def test_a_users_plain_network_works_by_a_catalogue_entry(
    unit: str, scale: float, leading: bool, add_model: AddModel
) -> None:
    boxes = np.array(
        [[0.25, 0.25, 0.5, 0.75], [0.5, 0.5, 0.9, 1.2], [0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.1, 0.4], [0, 0, 1, 1]],
        np.float32,
    )
    outputs: Outputs = {
        "boxes": boxes * np.float32(scale),
        "scores": np.array([0.55, 0.9, 0.99, 0.9, np.nan], np.float32),
        "labels": np.array([0, 1, 7, 1, 0], np.int64),
    }
    if leading:
        outputs = {name: value[None] for name, value in outputs.items()}
    detector = add_model(outputs, "boxes_scores_labels", more=f'box_unit = "{unit}"')
    # Dropped: a label beyond the classes, a box with negative width, a score that is not a number.
    assert named(detector, detector.detect(grey())) == [
        ("boat", 0.9, [0.5, 0.5, 0.9, 1.0]),
        ("person", 0.55, [0.25, 0.25, 0.5, 0.75]),
    ]


NO_BOXES: Outputs = {
    "boxes": np.zeros((0, 4), np.float32),
    "scores": np.zeros(0, np.float32),
    "labels": np.zeros(0, np.int64),
}


def test_a_network_that_finds_nothing_gives_empty_detections(add_model: AddModel) -> None:
    detector = add_model(NO_BOXES, "boxes_scores_labels")
    assert len(detector.detect(grey())) == 0


@pytest.mark.parametrize(
    ("outputs", "decoder", "problem"),
    [
        (NO_BOXES, "nanodet", "needs the outputs scores, dist; dist is missing among boxes, scores, labels"),
        (NO_BOXES, "yolox", "needs one output"),
        (
            {"output": np.zeros((1, 84, 85), np.float32)},
            "yolox",
            r"output is float32 \[1, 84, 85\], expected .*84, 8\]",
        ),
        ({"output": np.zeros((1, 100, 8), np.float32)}, "yolox", r"expected numbers \[1, 84, 8\]"),
        (NO_BOXES | {"boxes": np.zeros((0, 5), np.float32)}, "boxes_scores_labels", r"boxes is float32 \[0, 5\]"),
        (NO_BOXES | {"scores": np.zeros((3, 2), np.float32)}, "boxes_scores_labels", "expected numbers"),
    ],
)
def test_a_network_with_other_outputs_than_its_entry_says_is_refused(
    outputs: Outputs, decoder: str, problem: str, add_model: AddModel
) -> None:
    with pytest.raises(ConfigurationError, match=f"model own: .*{problem}"):
        add_model(outputs, decoder, more="" if decoder == "boxes_scores_labels" else "nms_iou = 0.6")


@pytest.mark.parametrize(
    ("input_shape", "size", "problem"),
    [
        ((1, 3, 32, 64), "width_px = 64, height_px = 64", "takes .* means .*64, 64"),
        ((1, 64, 64, 3), "width_px = 64, height_px = 64", "correct width_px, height_px or layout"),
        ((1, 3, 64, 64), "width_px = 64, height_px = 64, multiple_px = 32", "must not have multiple_px"),
        ((64, 64), "width_px = 64, height_px = 64", "needs one float32 input of four dimensions"),
    ],
)
def test_a_network_with_another_input_than_its_entry_says_is_refused(
    input_shape: tuple[int, ...], size: str, problem: str, add_model: AddModel
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        add_model(NO_BOXES, "boxes_scores_labels", size=size, input_shape=input_shape)


def test_a_network_of_the_other_layout_works(add_model: AddModel) -> None:
    size = 'width_px = 64, height_px = 32, layout = "nhwc", colour = "rgb", full_scale = 1'
    detector = add_model(NO_BOXES, "boxes_scores_labels", size=size, input_shape=(1, 32, 64, 3))
    assert len(detector.detect(grey())) == 0


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    not_onnx = tmp_path / "film.onnx"
    not_onnx.write_bytes(b"this is not a network" * 100)
    sha256 = hashlib.sha256(not_onnx.read_bytes()).hexdigest()
    entry = load_catalogue().entry("nanodet-g").model_copy(update={"file": not_onnx, "sha256": sha256})
    with pytest.raises(ConfigurationError, match="model nanodet-g: not an ONNX network this runtime can load"):
        load_detector(ModelSettings(), Catalogue([entry]), "nanodet-g")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    entry = load_catalogue().entry("nanodet-g").model_copy(update={"file": tmp_path / "gone.onnx"})
    with pytest.raises(ConfigurationError, match=r"model nanodet-g: .*gone\.onnx: there is no such file"):
        load_detector(ModelSettings(), Catalogue([entry]), "nanodet-g")
