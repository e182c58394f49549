"""Records as people read them, in either language."""

import pytest
from typer.testing import CliRunner

from console.cli import app
from console.record_output import print_record, print_records
from devices.model import Site, SiteLevel
from runtime import language
from tests.registry_records import full_camera, sensor


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "LANGUAGE", "zh")


@pytest.mark.usefixtures("chinese")
def test_a_record_is_shown_in_chinese_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_record(full_camera("gate"))
    print_record(Site(site_id="v", name="三河村", level=SiteLevel.VILLAGE))
    print_record(sensor("gauge"))
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("用途", "规则", "录像", "级别", "村", "阈值"))
    assert not any(key in shown for key in ("purpose", "recording", "site_id", "{"))


def test_rules_and_zones_are_sentences_and_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    camera = full_camera("gate")
    print_record(camera)
    shown = capsys.readouterr().out
    assert camera.rules[0].name in shown
    assert "corners" in shown
    assert "{" not in shown


def test_a_url_is_not_broken_in_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    camera = full_camera("gate")
    columns = [("camera_id", "Id"), ("name", "Name"), ("main_url", "Main URL"), ("purpose", "Purpose")]
    print_records([camera], columns, as_json=False)
    assert camera.main_url in capsys.readouterr().out


def test_flags_are_shown_without_a_type() -> None:
    for words in (["--help"], ["up", "--help"], ["camera", "add", "--help"]):
        assert "<bool>" not in CliRunner().invoke(app, words).stdout
