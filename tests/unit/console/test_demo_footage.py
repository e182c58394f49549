"""The demo's cameras and the names of simulated ones, without the footage itself."""

from pathlib import Path

import numpy as np
import pytest

from console.demo_footage import FADE_FRAMES, FPS, SHOTS, Shot, _loop, demo_files, demo_scene
from console.fetch_footage import REQUIREMENTS, has_footage
from console.simulate_camera_command import camera_names
from devices.scene import RuleKind
from runtime.errors import ConfigurationError


def test_missing_footage_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"console\.fetch_footage"):
        demo_files(tmp_path / "demo", tmp_path / "none.mp4")
    assert not (tmp_path / "demo").exists()


def test_another_file_is_not_taken_for_the_footage(tmp_path: Path) -> None:
    (tmp_path / "bikes.mp4").write_bytes(b"something else")
    assert not has_footage(tmp_path / "bikes.mp4")


def test_the_footage_is_fetched_by_its_hash_only() -> None:
    assert REQUIREMENTS.read_text(encoding="utf-8").count("--hash=sha256:") == 1


def test_a_loop_ends_where_it_begins_without_a_jump() -> None:
    pictures = [np.full((6, 4), 40 * number, np.uint8) for number in range(6)]
    shot = Shot("east", first=1, last=5, slowness=4, still_s=0.4)
    values = [int(picture[0, 0]) for picture in _loop(pictures, shot)]
    assert len(values) == 4 * 4 + round(0.4 * FPS) + FADE_FRAMES
    assert values[0] == 40
    assert max(values) == 200
    assert all(abs(after - before) <= 17 for before, after in zip(values, [*values[1:], values[0]], strict=True))


def test_each_demo_camera_has_a_rule_about_people() -> None:
    kinds = {rule.kind for shot in SHOTS for rule in demo_scene(shot.camera_id).rules}
    assert kinds == {RuleKind.LINE_CROSSED, RuleKind.ZONE_ENTERED}


def test_simulated_cameras_are_named_after_their_files() -> None:
    names = camera_names([Path("a/street one.mp4"), Path("b/street one.mkv"), Path("街道.mp4")])
    assert list(names) == ["street-one", "street-one-2", "camera"]
