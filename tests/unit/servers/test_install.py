import os
from pathlib import Path

import pytest

from tests.servers import cache, install


def with_programs(monkeypatch: pytest.MonkeyPatch, *present: str, root: bool) -> None:
    """A machine that has these programs alone."""

    def find_program(name: str) -> str:
        if name not in present:
            raise cache.MissingServerError(name)
        return name

    monkeypatch.setattr(cache, "find_program", find_program)
    monkeypatch.setattr(install, "has_postgres", lambda: False)
    monkeypatch.setattr(install, "has_gstreamer", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)


def test_a_plain_user_is_told_everything_that_is_missing_and_the_exact_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with_programs(monkeypatch, "apt-get", "setpriv", "ffmpeg", "ffprobe", root=False)
    said = install.check()
    assert "Missing: Mosquitto, PostgreSQL, GStreamer's RTSP server, Java 17 or later" in said
    assert "sudo apt-get install --no-install-recommends mosquitto mosquitto-clients postgresql " in said
    assert "ffmpeg" not in said


def test_a_machine_without_apt_is_told_what_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with_programs(monkeypatch, "setpriv", root=True)
    said = install.check()
    assert "your system's package manager" in said
    assert "Mosquitto" in said


def test_root_on_debian_is_told_nothing_because_it_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with_programs(monkeypatch, "apt-get", root=True)
    assert install.check() == ""


def test_a_missing_server_fails_a_test_and_says_what_to_run() -> None:
    with pytest.raises(AssertionError, match="make servers"):
        cache.find_program("no-such-program-anywhere")


def build(final: Path, *, breaks: bool = False) -> bool:
    """Whether there was anything left to build."""
    with install.built_once(final) as folder:
        if folder is None:
            return False
        (folder / "part").write_text("x")
        if breaks:
            raise RuntimeError("half-way")
    return True


def test_what_is_built_appears_whole_or_not_at_all_and_once(tmp_path: Path) -> None:
    final = tmp_path / "thing"
    with pytest.raises(RuntimeError, match="half-way"):
        build(final, breaks=True)
    assert not final.exists()
    assert build(final)
    assert not build(final)
    assert (final / "part").read_text() == "x"
