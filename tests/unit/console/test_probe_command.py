"""`sharpeyes probe` in words: what it prints, its exit code, and that a login never shows."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from console import probe_command
from devices.model import Credentials, Transport
from ingest.camera_errors import Problem, ProblemCode
from ingest.packet import Codec, StreamInfo
from ingest.probe import Login, ProbeReport

GOOD = ProbeReport(
    reached=True,
    login=Login.ACCEPTED,
    info=StreamInfo(Codec.H265, 1920, 1080, b""),
    fps=25.0,
    key_interval_s=2.0,
    bit_rate_bps=4.1e6,
    picture=b"\xff\xd8jpeg",
    problem=None,
    watched_s=4.0,
    took_s=4.2,
)
BAD = ProbeReport(
    reached=True,
    login=Login.REFUSED,
    info=None,
    fps=None,
    key_interval_s=None,
    bit_rate_bps=None,
    picture=None,
    problem=Problem(ProblemCode.LOGIN_REFUSED),
    watched_s=0.0,
    took_s=0.3,
)


class Asked:
    """Stands in for the probe; keeps what it was asked."""

    def __init__(self, report: ProbeReport) -> None:
        self.report = report
        self.url = ""
        self.credentials: Credentials | None = None
        self.transport: Transport | None = None

    def __call__(self, url: str, credentials: Credentials | None, transport: Transport) -> ProbeReport:
        self.url, self.credentials, self.transport = url, credentials, transport
        return self.report


@pytest.fixture(autouse=True)
def folder_of_the_installer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(monkeypatch: pytest.MonkeyPatch, report: ProbeReport, *arguments: str) -> tuple[int, str, Asked]:
    asked = Asked(report)
    monkeypatch.setattr(probe_command, "probe", asked)
    app = typer.Typer()
    app.command()(probe_command.probe_url)
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output, asked


def test_a_stream_that_works_is_described_and_its_picture_saved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture = tmp_path / "look.jpg"
    code, output, _ = run(monkeypatch, GOOD, "rtsp://camera/live", "--picture", str(picture))
    assert code == 0
    for expected in ("H.265", "1920 x 1080", "25.0", "2.0", "4.10 Mbit/s"):
        assert expected in output
    assert picture.read_bytes() == b"\xff\xd8jpeg"


def test_a_login_in_the_url_is_taken_out_of_it_and_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, asked = run(monkeypatch, BAD, "rtsp://admin:s3cret@camera/live", "--transport", "udp")
    assert code == 1
    assert asked.url == "rtsp://camera/live"
    assert asked.credentials is not None
    assert asked.credentials.password.reveal() == "s3cret"
    assert asked.transport is Transport.UDP
    assert "s3cret" not in output


def test_a_failure_says_what_to_check_next(monkeypatch: pytest.MonkeyPatch) -> None:
    _, output, _ = run(monkeypatch, BAD, "rtsp://camera/live")
    problem = Problem(ProblemCode.LOGIN_REFUSED)
    flat = " ".join(output.split())
    assert problem.check_next.en in flat or problem.check_next.zh in flat


def test_json_holds_stable_names_and_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    code, output, _ = run(monkeypatch, BAD, "rtsp://camera/live", "--json")
    document = json.loads(output)
    assert code == 1
    assert (document["problem"], document["login"], document["fps"]) == ("login_refused", "refused", None)
    assert set(document["what"]) == {"zh", "en"}


def test_the_picture_is_saved_where_the_installer_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, output, _ = run(monkeypatch, GOOD, "rtsp://camera/live")
    assert code == 0
    assert "probe.jpg" in output
    assert (tmp_path / "probe.jpg").read_bytes() == b"\xff\xd8jpeg"


def test_a_picture_that_cannot_be_written_is_an_error_with_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, _ = run(monkeypatch, GOOD, "rtsp://camera/live", "--picture", str(tmp_path / "no" / "look.jpg"))
    assert code == 1
