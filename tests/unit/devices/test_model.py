"""The bounds that records check themselves."""

from typing import Any

import pytest

from devices.model import Credentials, Crossing, Position, Secret, Sensor, Threshold
from devices.validation import FieldError
from runtime.errors import InvalidInputError
from tests.registry_records import callbox, camera, sensor, site


@pytest.mark.parametrize("bad", ["", "-a", "a b", "a/b", "a+b", "#", "a.b", "x" * 65, "a\n", "村", "../x"])
def test_an_id_has_no_sign_that_topics_or_keys_give_a_meaning(bad: str) -> None:
    for make, path in ((camera, "camera_id"), (callbox, "callbox_id"), (sensor, "sensor_id"), (site, "site_id")):
        with pytest.raises(InvalidInputError) as caught:
            make(bad)
        assert isinstance(caught.value, FieldError)
        assert caught.value.path == path


@pytest.mark.parametrize(
    "url",
    [
        "",
        "192.168.1.64",
        "http://192.168.1.64/",
        "file:///etc/passwd",
        "rtsp:/192.168.1.64/",
        "rtsp://",
        "rtsp:///path",
        "rtsp://host:0/",
        "rtsp://host:65536/",
        "rtsp://host:port/",
        "rtsp://[::1/",
        "rtsp://[nonsense]/",
        "rtsp://[1.2.3.4]/",
        "rtsp://ho st/",
        "rtsp://host/\r\nInjected: header",
        "rtsp://host/\x00",
        "rtsp://user:secret@host/",
        "rtsp://host/" + "x" * 2048,
    ],
)
def test_a_camera_url_is_rtsp_with_a_host_and_no_login(url: str) -> None:
    for key in ("main_url", "sub_url"):
        with pytest.raises(FieldError) as caught:
            camera("cam", **{key: url})
        assert caught.value.path == key
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["rtsp://h", "RTSPS://cam.local:322/a?b=c", "rtsp://[fe80::1]:554/x", "rtsp://1.2.3.4/用"]
)
def test_a_usable_camera_url_passes(url: str) -> None:
    assert camera("cam", main_url=url).main_url == url


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"detect_fps": 0}, "detect_fps"),
        ({"detect_fps": -1}, "detect_fps"),
        ({"detect_fps": 30.1}, "detect_fps"),
        ({"detect_fps": float("nan")}, "detect_fps"),
        ({"model": " "}, "model"),
        ({"site_id": "a b"}, "site_id"),
    ],
)
def test_a_camera_checks_its_fields(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(FieldError) as caught:
        camera("cam", **fields)
    assert caught.value.path == path


@pytest.mark.parametrize("degrees", [(90.1, 0), (0, -180.1), (float("nan"), 0), (0, float("inf"))])
def test_a_position_is_on_earth(degrees: tuple[float, float]) -> None:
    with pytest.raises(FieldError):
        Position(*degrees)


def threshold(crossing: Crossing, trip: float, clear: float) -> Threshold:
    return Threshold(name="t", crossing=crossing, trip=trip, clear=clear)


def test_hysteresis_is_the_right_way_round() -> None:
    threshold(Crossing.ABOVE, 3.5, 3.2)
    threshold(Crossing.BELOW, 3.2, 3.5)
    for crossing, trip, clear in ((Crossing.ABOVE, 3.2, 3.5), (Crossing.BELOW, 3.5, 3.2)):
        with pytest.raises(FieldError, match="clear"):
            threshold(crossing, trip, clear)
    with pytest.raises(FieldError, match="trip"):
        threshold(Crossing.ABOVE, float("nan"), 0)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"metric": "Water Level"}, "metric"),
        ({"unit": "\n"}, "unit"),
        ({"missing_after_s": 0}, "missing_after_s"),
        ({"thresholds": (threshold(Crossing.ABOVE, 1, 1),) * 2}, "thresholds[1].name"),
    ],
)
def test_a_sensor_checks_its_fields(fields: dict[str, Any], path: str) -> None:
    known: dict[str, Any] = {"sensor_id": "s", "name": "n", "site_id": "v", "metric": "level", "unit": "m"}
    with pytest.raises(FieldError) as caught:
        Sensor(**{**known, **fields})
    assert caught.value.path == path


def test_a_secret_never_prints_itself() -> None:
    login = Credentials("admin", Secret("hidden-word"))
    assert "hidden-word" not in f"{login} {login!r} {login.password} {login.password!r}"


@pytest.mark.parametrize("login", [("", "x"), ("a\r\nb", "x"), ("a", "x\r\ny"), ("a" * 257, "x"), ("a", "x" * 257)])
def test_a_login_has_no_control_characters_and_is_bounded(login: tuple[str, str]) -> None:
    with pytest.raises(FieldError):
        Credentials(login[0], Secret(login[1]))
