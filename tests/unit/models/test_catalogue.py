"""Catalogue files: what ships is whole, and what a user writes wrong is named."""

import re
from pathlib import Path

import pytest

from models.catalogue import Catalogue, load_catalogue
from models.processor import FLOAT_MODEL, INT8_MODEL, choose_model, processor_flags
from runtime.errors import ConfigurationError

REPORTED = {"person", "bicycle", "car", "motorcycle", "bus", "truck", "dog", "sheep", "cow", "horse"}

ENTRY = """
[[model]]
name = "mine"
file = "mine.onnx"
sha256 = "{sha256}"
licence = "MIT"
source = "https://example.org/mine"
decoder = "yolox"
nms_iou = 0.6
input = {{ width_px = 416, height_px = 416 }}
classes = "coco-80"
thresholds = {{ person = 0.4 }}
"""
GOOD = ENTRY.format(sha256="0" * 64)


def load(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "models.toml"
    path.write_text(text)
    return load_catalogue(path)


def test_the_shipped_detectors_report_people_vehicles_and_animals() -> None:
    catalogue = load_catalogue()
    assert set(catalogue.names()) == {INT8_MODEL, FLOAT_MODEL}
    for name in catalogue.names():
        entry = catalogue.entry(name)
        assert set(entry.thresholds) == REPORTED
        assert len(entry.classes) == 80
        assert (entry.classes.index("person"), entry.classes.index("cow")) == (0, 19)
        assert entry.file.is_file()


def test_animals_need_more_than_people() -> None:
    thresholds = load_catalogue().entry(INT8_MODEL).thresholds
    assert min(thresholds[name] for name in ("dog", "sheep", "cow", "horse")) > thresholds["person"]


def test_a_further_file_adds_an_entry_with_a_file_beside_it(tmp_path: Path) -> None:
    catalogue = load(tmp_path, GOOD)
    assert set(catalogue.names()) == {INT8_MODEL, FLOAT_MODEL, "mine"}
    assert catalogue.entry("mine").file == tmp_path / "mine.onnx"


def test_a_file_without_entries_adds_none(tmp_path: Path) -> None:
    assert len(load(tmp_path, "").names()) == 2


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("name =", "nome ="), "nome: Extra inputs are not permitted"),
        (('"mine"\nfile', '"my model"\nfile'), "model 'my model': name"),
        (("licence = ", "licence = 1 #"), "model 'mine': licence"),
        (("0" * 64, "0" * 63), "model 'mine': sha256"),
        (('"yolox"', '"yolov5"'), "model 'mine': decoder: .*'nanodet', 'yolox' or 'boxes_scores_labels'"),
        (("nms_iou = 0.6", ""), "model 'mine': nms_iou is missing"),
        (("nms_iou = 0.6", "nms_iou = 60"), "model 'mine': nms_iou: .*less than or equal to 1"),
        (("width_px = 416", "width_px = 400"), "model 'mine': the yolox decoder needs sides .* multiples of 32"),
        (
            ("width_px = 416,", "width_px = 416, multiple_px = 24,"),
            "model 'mine': input: width_px and height_px must be",
        ),
        (("width_px = 416", "width_px = 100000"), "model 'mine': input: width_px"),
        (('"coco-80"', '"coco-90"'), "model 'mine': classes: no class set is called 'coco-90'; there is coco-80"),
        (('"coco-80"', '["person", "person"]'), r"model 'mine': classes holds \['person'\] more than once"),
        (('"coco-80"', "[]"), "model 'mine': classes"),
        (("person = 0.4", "persons = 0.4"), r"model 'mine': thresholds names \['persons'\]"),
        (("person = 0.4", "person = 1.4"), "model 'mine': thresholds: person: .*less than 1"),
        (("person = 0.4", "person = nan"), "model 'mine': thresholds: person"),
        (("{ person = 0.4 }", "{}"), "model 'mine': thresholds"),
        (('"mine"\nfile', f'"{INT8_MODEL}"\nfile'), "the name 'nanodet-g-int8' is already taken"),
        (("[[model]]", "[model]"), "model: "),
        (("[[model]]", "[[models]]"), "models: Extra inputs are not permitted"),
        (("[[model]]", "[[model"), "cannot be read as a TOML file"),
    ],
)
def test_a_wrong_entry_is_named_with_its_field(change: tuple[str, str], problem: str, tmp_path: Path) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, GOOD.replace(*change, 1))
    assert re.search(problem, str(caught.value)), str(caught.value)
    assert str(tmp_path / "models.toml") in str(caught.value)


def test_a_missing_catalogue_and_a_binary_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml: there is no such file"):
        load_catalogue(tmp_path / "gone.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"binary\.toml: cannot be read as a TOML file"):
        load_catalogue(tmp_path / "binary.toml")


def test_a_catalogue_of_megabytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="larger than"):
        load(tmp_path, "#" * 2_000_000)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no 'yolo' in the catalogue; there are nanodet-g-int8, nanodet-g"):
        load_catalogue().entry("yolo")


@pytest.mark.parametrize("flag", ["avx512_vnni", "avx_vnni", "asimddp"])
def test_a_processor_that_sums_bytes_exactly_gets_eight_bits(flag: str) -> None:
    assert choose_model(frozenset({"sse2", flag})) == INT8_MODEL


def test_any_other_processor_gets_floats() -> None:
    assert choose_model(frozenset({"avx2", "avx512f"})) == FLOAT_MODEL
    assert choose_model(frozenset()) == FLOAT_MODEL


@pytest.mark.parametrize("key", ["flags\t\t", "Features\t"])
def test_flags_are_read_as_intel_and_arm_list_them(key: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        f"processor\t: 0\nmodel name\t: x\n{key}: fpu asimddp avx_vnni\n\nprocessor\t: 1\n"
    )
    assert processor_flags(tmp_path / "cpuinfo") == {"fpu", "asimddp", "avx_vnni"}


def test_a_system_without_cpuinfo_has_no_flags(tmp_path: Path) -> None:
    assert processor_flags(tmp_path / "gone") == frozenset()
