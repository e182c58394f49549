import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.motion_gate import MotionGate

S = 1_000_000_000
Picture = NDArray[np.uint8]
HEIGHT_PX, WIDTH_PX = 1080, 1920


@pytest.fixture(scope="module")
def street() -> Picture:
    """Smooth patches of light and dark, as a street has them."""
    coarse = np.random.default_rng(7).integers(40, 200, (27, 48)).astype(np.uint8)
    return np.kron(coarse, np.ones((40, 40), np.uint8))


class Camera:
    """Noisy pictures of a scene, one every `step_s`."""

    def __init__(self, step_s: float, noise: int = 4) -> None:
        self.gate = MotionGate()
        rng = np.random.default_rng(1)
        self._noise = rng.integers(-noise, noise + 1, (HEIGHT_PX + 64, WIDTH_PX + 64)).astype(np.int16)
        self._places = rng
        self._step_ns = round(step_s * S)
        self._t_ns = 10**18

    def sees(self, scene: Picture) -> bool:
        top, left = self._places.integers(0, 64, 2)
        noise = self._noise[top : top + scene.shape[0], left : left + scene.shape[1]]
        self._t_ns += self._step_ns
        return self.gate.stirs(np.clip(scene + noise, 0, 255).astype(np.uint8), self._t_ns)

    def stirs_in(self, scene: Picture, pictures: int) -> list[bool]:
        return [self.sees(scene) for _ in range(pictures)]


def with_person(scene: Picture, left: int, top: int = 500, height: int = 40, contrast: int = 30) -> Picture:
    picture = scene.copy()
    box = picture[top : top + height, left : left + height * 2 // 5]
    box += np.uint8(contrast) if box.mean() < 120 else np.uint8(256 - contrast)
    return picture


def test_the_first_picture_stirs(street: Picture) -> None:
    assert Camera(2.0).sees(street)


@pytest.mark.parametrize("step_s", [0.2, 2.0])
def test_a_still_noisy_scene_never_stirs_again(street: Picture, step_s: float) -> None:
    camera = Camera(step_s)
    assert camera.stirs_in(street, 12) == [True] + [False] * 11


@pytest.mark.parametrize("step_s", [0.2, 2.0])
def test_a_far_person_of_40_px_in_1080p_stirs_at_every_step(street: Picture, step_s: float) -> None:
    camera = Camera(step_s)
    camera.stirs_in(street, 6)
    assert all(camera.sees(with_person(street, left)) for left in range(600, 800, 40))


def test_one_who_stops_becomes_background_within_a_minute(street: Picture) -> None:
    camera = Camera(2.0)
    camera.stirs_in(street, 4)
    standing = with_person(street, 600, height=200, contrast=60)
    assert camera.sees(standing)
    camera.stirs_in(standing, 29)
    assert not camera.sees(standing)


def test_leaving_stirs_as_well_as_coming(street: Picture) -> None:
    camera = Camera(2.0)
    standing = with_person(street, 600, height=200)
    camera.stirs_in(standing, 8)
    assert camera.sees(street)


def test_a_cloud_that_dims_everything_does_not_stir(street: Picture) -> None:
    camera = Camera(0.2)
    camera.stirs_in(street, 6)
    dimmer = [(street * (1 - 0.02 * step)).astype(np.uint8) for step in range(1, 11)]
    assert not any(camera.sees(picture) for picture in dimmer)


def test_a_person_under_a_cloud_still_stirs(street: Picture) -> None:
    camera = Camera(0.2)
    camera.stirs_in(street, 6)
    assert camera.sees((with_person(street, 600) * 0.9).astype(np.uint8))


def test_the_switch_to_night_stirs_once_and_not_for_ever(street: Picture) -> None:
    camera = Camera(2.0)
    camera.stirs_in(street, 4)
    night = (255 - street) // 2
    found = camera.stirs_in(night, 8)
    assert found[0]
    assert not any(found[3:])


def test_leaves_that_keep_waving_become_noise(street: Picture) -> None:
    camera = Camera(0.2)
    leaves = np.random.default_rng(5)
    found = []
    for _ in range(100):
        picture = street[:540, :640].copy()
        picture[100:400, 100:400] = np.kron(leaves.integers(100, 120, (30, 30)), np.ones((10, 10))).astype(np.uint8)
        found.append(camera.sees(picture))
    assert not any(found[-20:])


def test_a_place_where_people_keep_passing_stays_sensitive(street: Picture) -> None:
    camera = Camera(0.2)
    corner = np.ascontiguousarray(street[:640, :720])
    passer_by = with_person(corner, 600, height=120, contrast=50)
    for passing in range(100):
        camera.sees(passer_by if passing % 5 == 0 else corner)
    assert camera.sees(passer_by)


def test_a_picture_of_another_shape_starts_anew(street: Picture) -> None:
    camera = Camera(2.0)
    camera.stirs_in(street, 3)
    assert camera.stirs_in(street[:, :1440], 2) == [True, False]


def test_the_same_scene_at_half_the_size_is_the_same_scene(street: Picture) -> None:
    camera = Camera(2.0)
    camera.stirs_in(street, 3)
    assert not camera.sees(np.ascontiguousarray(street[::2, ::2]))


def test_the_smallest_picture_and_times_that_stand_still_do_no_harm() -> None:
    gate = MotionGate()
    assert [gate.stirs(np.full((1, 1), 9, np.uint8), 5) for _ in range(3)] == [True, False, False]
    assert gate.stirs(np.zeros((1080, 1), np.uint8), 1)


def test_a_padded_view_of_a_decoder_s_plane_is_taken_as_it_is(street: Picture) -> None:
    padded = np.zeros((HEIGHT_PX, WIDTH_PX + 64), np.uint8)
    padded[:, :WIDTH_PX] = street
    gate = MotionGate()
    gate.stirs(street, S)
    assert not gate.stirs(padded[:, :WIDTH_PX], 2 * S)
