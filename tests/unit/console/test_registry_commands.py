"""The commands that register sites and devices, as a person types them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from console.cli import app
from console.import_command import EXAMPLE
from runtime.errors import ConflictError, InvalidInputError, NotFoundError

Run = Callable[..., Result]

CAMERA = ["--site", "county", "--purpose", "traffic", "--place-type", "road"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `sharpeyes --data <tmp> ...`; errors of the system are raised as the entry point would see them."""

    def invoke(*words: str, stdin: str = "") -> Result:
        result = CliRunner().invoke(app, ["--data", str(tmp_path / "data"), *words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def county(run: Run) -> Run:
    assert run("site", "add", "county", "--level", "county").exit_code == 0
    return run


def as_json(run: Run, *words: str) -> object:
    return json.loads(run(*words, "--json").stdout)


def test_each_kind_is_added_listed_shown_and_removed(county: Run) -> None:
    adds = {
        "camera": ["--url", "rtsp://192.0.2.1/x", *CAMERA],
        "callbox": ["--site", "county", "--position", "30.66,104.06"],
        "sensor": ["--site", "county", "--metric", "water_level", "--unit", "m", "--above", "3.5,3.2", "--below", "1"],
    }
    for kind, options in adds.items():
        assert county(kind, "add", f"my-{kind}", *options).exit_code == 0
        assert f"my-{kind}" in county(kind, "list").stdout
        assert f"my-{kind}" in county(kind, "show", f"my-{kind}").stdout
        assert as_json(county, kind, "list") == [as_json(county, kind, "show", f"my-{kind}")]
    with pytest.raises(ConflictError, match="my-callbox, my-camera, my-sensor"):
        county("site", "remove", "county")
    for kind in adds:
        assert county(kind, "remove", f"my-{kind}").exit_code == 0
        assert as_json(county, kind, "list") == []
    assert county("site", "remove", "county").exit_code == 0


def test_a_password_goes_in_by_url_or_standard_input_and_never_comes_out(county: Run, tmp_path: Path) -> None:
    by_url = county("camera", "add", "a", "--url", "rtsp://admin:hid:d@en@192.0.2.1/x", *CAMERA)
    login = ["--username", "admin", "--password-stdin"]
    by_stdin = county("camera", "add", "b", "--url", "rtsp://192.0.2.1/x", *login, *CAMERA, stdin="hid:d@en\n")
    assert "--password-stdin" in by_url.stderr, "warns of the shell's history"
    assert "--password-stdin" not in by_stdin.stderr
    shown = [county("camera", *words).output for words in (["list"], ["show", "a"], ["show", "b"], ["list", "--json"])]
    assert "d@en" not in "".join([by_url.output, by_stdin.output, *shown])
    assert "admin" in shown[1]
    assert b"d@en" not in b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())


def test_a_scene_is_taken_from_a_file(county: Run, tmp_path: Path) -> None:
    scene = tmp_path / "scene.yaml"
    scene.write_text("zones: [{name: yard, polygon: [[0,0],[1,0],[0,1]]}]")
    county("camera", "add", "a", "--url", "rtsp://h/x", "--scene", str(scene), *CAMERA)
    document = as_json(county, "camera", "show", "a")
    assert isinstance(document, dict)
    assert document["zones"] == [{"name": "yard", "polygon": [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]}]
    scene.write_text("zones: [{name: yard, polygon: [[0,0],[1,0]]}]")
    with pytest.raises(InvalidInputError, match=r"scene\.yaml.*zones\[0\]\.polygon"):
        county("camera", "add", "b", "--url", "rtsp://h/x", "--scene", str(scene), *CAMERA)


def test_adding_again_needs_replace(county: Run) -> None:
    add = ["callbox", "add", "box", "--site", "county"]
    county(*add)
    with pytest.raises(ConflictError, match="--replace"):
        county(*add)
    assert county(*add, "--name", "New", "--replace").exit_code == 0
    assert "New" in county("callbox", "list").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["camera", "add", "a", "--url", "http://h/x", *CAMERA],
        ["camera", "add", "a", "--url", "rtsp://h/x", "--username", "u", *CAMERA],
        ["camera", "add", "a", "--url", "rtsp://h/x", "--password-stdin", *CAMERA],
        ["camera", "add", "a b", "--url", "rtsp://h/x", *CAMERA],
        ["callbox", "add", "a", "--site", "nowhere"],
        ["callbox", "add", "a", "--site", "county", "--position", "here"],
        ["callbox", "add", "a", "--site", "county", "--position", "91,0"],
        ["sensor", "add", "a", "--site", "county", "--metric", "m", "--unit", "m", "--above", "high"],
        ["sensor", "add", "a", "--site", "county", "--metric", "m", "--unit", "m", "--above", "1,2"],
        ["site", "add", "a", "--level", "village", "--parent", "nowhere"],
        ["import"],
        ["import", "nowhere.csv"],
    ],
)
def test_a_wrong_value_is_an_input_error(county: Run, words: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        county(*words)


def test_what_is_not_registered_is_not_found(county: Run) -> None:
    for kind in ("site", "camera", "callbox", "sensor"):
        for verb in ("show", "remove"):
            with pytest.raises(NotFoundError, match="ghost"):
                county(kind, verb, "ghost")


def test_markup_in_a_name_is_shown_as_typed(county: Run) -> None:
    county("callbox", "add", "box", "--site", "county", "--name", "[red]x[/nothing]")
    assert "[red]x[/nothing]" in county("callbox", "list").stdout


def test_the_example_of_the_import_can_be_imported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(EXAMPLE)
    assert EXAMPLE in run("import", "--columns").stdout
    assert run("import", str(file), "--dry-run").exit_code == 0
    assert as_json(run, "site", "list") == []
    assert run("import", str(file)).exit_code == 0
    cameras = as_json(run, "camera", "list")
    assert isinstance(cameras, list)
    assert [camera["camera_id"] for camera in cameras] == ["gate-1"]
    assert run("import", str(file), "--replace").exit_code == 0


def test_one_bad_row_keeps_all_others_out_and_is_shown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "devices.csv"
    file.write_text(EXAMPLE + "callbox,b x,Box,village-3\n")
    with pytest.raises(InvalidInputError, match="1"):
        run("import", str(file))
    assert as_json(run, "site", "list") == []


def test_the_list_shows_the_other_cameras_and_names_the_one_whose_login_cannot_be_decrypted(
    county: Run, tmp_path: Path
) -> None:
    county("camera", "add", "open", "--url", "rtsp://192.0.2.1/x", *CAMERA)
    county("camera", "add", "locked", "--url", "rtsp://admin:pass@192.0.2.2/x", *CAMERA)
    (tmp_path / "data" / "secret.key").unlink()
    listed = county("camera", "list", "--json")
    assert [camera["camera_id"] for camera in json.loads(listed.stdout)] == ["open"]
    assert "locked" in listed.stderr
    assert "secret.key" in listed.stderr
