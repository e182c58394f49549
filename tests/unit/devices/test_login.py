"""Logins in URLs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.login import holds_password, join_login, one_login, shown_url, split_login
from devices.model import Credentials, Secret
from devices.validation import FieldError

printable = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("url", "plain", "username", "password"),
    [
        ("rtsp://admin:12345@h/x", "rtsp://h/x", "admin", "12345"),
        ("rtsp://admin:p@ss:word@h:554/x", "rtsp://h:554/x", "admin", "p@ss:word"),
        ("rtsp://admin:p%40ss%3Aw%2Fd@h", "rtsp://h", "admin", "p@ss:w/d"),
        ("rtsp://admin:a#b?c@h/x?y=1#z", "rtsp://h/x?y=1#z", "admin", "a#b?c"),
        ("rtsps://admin:@h/", "rtsps://h/", "admin", ""),
        ("rtsp://admin@h/", "rtsp://h/", "admin", ""),
        ("rtsp://admin:100%zz@h/", "rtsp://h/", "admin", "100%zz"),
        ("rtsp://admin:%ff@h/", "rtsp://h/", "admin", "%ff"),
        ("rtsp://us%3Aer:x@[fe80::1]/", "rtsp://[fe80::1]/", "us:er", "x"),
        ("  rtsp://a:b@h/  ", "rtsp://h/", "a", "b"),
    ],
)
def test_a_login_is_split_off(url: str, plain: str, username: str, password: str) -> None:
    assert split_login(url) == (plain, Credentials(username, Secret(password)))


@pytest.mark.parametrize("url", ["rtsp://h/x", "rtsp://@h/x", "rtsp://h/x?mail=a@b", "rtsp://h/x#a@b"])
def test_a_url_without_a_login_has_none(url: str) -> None:
    assert split_login(url)[1] is None


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:se/cret@h/x",
        "rtsp://admin:12/secret@h/x",
        "rtsp://admin:p@ss/secret@h/x",
        "http://admin:secret@h/x",
        "rtsp://admin:secret@/x",
        "rtsp://admin:secret@h:port/x",
        "admin:secret@h",
        "rtsp://:secret@h/",
        "rtsp://a:secret%0d%0a@h/",
        "",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_its_password(url: str) -> None:
    with pytest.raises(FieldError) as caught:
        split_login(url, "main_url")
    assert caught.value.path == "main_url"
    assert "cret" not in str(caught.value)


@given(printable.filter(lambda name: name.isprintable()), printable.filter(lambda word: word.isprintable()))
def test_any_login_survives_being_joined_and_split(username: str, password: str) -> None:
    login = Credentials(username, Secret(password))
    assert split_login(join_login("rtsp://h:554/x", login)) == ("rtsp://h:554/x", login)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://h/user=admin&password=hidden&channel=1",
        "rtsp://h/x?user=a&PWD=hidden",
        "rtsp://h/x?token=hidden#y",
        "rtsp://h/user=admin_passwd=hidden_channel".replace("_channel", "&channel"),
    ],
)
def test_a_password_parameter_is_shown_as_stars(url: str) -> None:
    assert holds_password(url)
    assert "hidden" not in shown_url(url)
    assert shown_url(url).startswith("rtsp://h/")


def test_an_ordinary_url_is_shown_as_it_is() -> None:
    assert not holds_password("rtsp://h/bypass=1/x?compass=2")
    assert shown_url("rtsp://h/bypass=1/x?compass=2") == "rtsp://h/bypass=1/x?compass=2"


def test_two_different_logins_are_one_too_many() -> None:
    a, b = Credentials("a", Secret("x")), Credentials("a", Secret("y"))
    assert one_login(None, a, a) == a
    assert one_login(None, None) is None
    with pytest.raises(FieldError):
        one_login(a, b)
