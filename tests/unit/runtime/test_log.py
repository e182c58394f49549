import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from runtime.log import configure_logging, get_logger, mask_url_login


class Lines:
    """What was written to standard error since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """Log lines of a test; the logging set-up is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield Lines(capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def read(lines: Lines) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("rtsp://admin:1234@10.0.0.1:554/main", "rtsp://***@10.0.0.1:554/main"),
        ("rtsp://admin:a:b@c@10.0.0.1/main", "rtsp://***@10.0.0.1/main"),
        ("rtsp://admin:a/b@10.0.0.1/main", "rtsp://***@10.0.0.1/main"),
        ("rtsp://admin:a?b#c@10.0.0.1/main", "rtsp://***@10.0.0.1/main"),
        ("rtsp://admin@10.0.0.1/main", "rtsp://***@10.0.0.1/main"),
        ("cannot open 'RTSPS://u:p@h/x': no answer", "cannot open 'RTSPS://***@h/x': no answer"),
        ("mqtt://u:p@one, mqtt://u:p@two", "mqtt://***@one, mqtt://***@two"),
        ("postgresql+psycopg://u:p%40w@h/db", "postgresql+psycopg://***@h/db"),
        ("postgresql://h/db?user=u&password=x/y&sslmode=on", "postgresql://h/db?user=u&password=***&sslmode=on"),
        ("'rtsp://h/x?Passwd=a' http://h/?pwd=b#c,;d token=e", "'rtsp://h/x?Passwd=***' http://h/?pwd=*** token=***"),
        ('{"event": "a?password=b\\"c"}', '{"event": "a?password=***\\"c"}'),
        ("rtsp://u:p@h/user=a&password=b@c", "rtsp://***@c"),
        ("rtsp://h/mypwd=1?tokens=2", "rtsp://h/mypwd=1?tokens=2"),
        ("rtsp://10.0.0.1:554/main?x=1", "rtsp://10.0.0.1:554/main?x=1"),
        ("write to ops@example.org", "write to ops@example.org"),
    ],
)
def test_logins_in_urls_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert mask_url_login(text) == masked


@pytest.mark.parametrize("hostile", ["a" * 200_000, "a://" * 50_000, "rtsp://" + "u" * 200_000])
def test_masking_a_hostile_text_takes_no_long_time(hostile: str) -> None:
    started_s = time.process_time()
    mask_url_login(hostile)
    assert time.process_time() - started_s < 0.5


def test_an_event_carries_its_logger_level_and_time(lines: Lines) -> None:
    configure_logging("info", "json")
    get_logger("ingest.session").warning("camera lost", camera="east", reason="timed out")
    event = read(lines)
    assert event["logger"] == "ingest.session"
    assert event["level"] == "warning"
    assert event["timestamp"].endswith("Z")
    assert (event["event"], event["camera"], event["reason"]) == ("camera lost", "east", "timed out")


def test_logins_are_masked_wherever_they_stand_in_an_event(lines: Lines) -> None:
    configure_logging("info", "json")
    url = "rtsp://admin:s3cret@10.0.0.1/main"
    log = get_logger("test")
    try:
        raise OSError(f"cannot open {url}")
    except OSError as error:
        log.warning(f"lost {url}", url=url, urls=[url], nested={"main": {"url": url}}, error=error, exc_info=error)
    assert "OSError" in lines.getvalue()
    assert "s3cret" not in lines.getvalue()


def test_logins_are_masked_in_what_libraries_log(lines: Lines) -> None:
    configure_logging("info", "json")
    try:
        raise OSError("rtsp://admin:s3cret@10.0.0.1/main")
    except OSError:
        logging.getLogger("some.library").exception("opening %s failed", "rtsp://admin:s3cret@10.0.0.1/main")
    assert "OSError" in lines.getvalue()
    assert "rtsp://***@10.0.0.1/main" in lines.getvalue()
    assert "s3cret" not in lines.getvalue()


def test_logins_are_masked_on_a_terminal_too(lines: Lines) -> None:
    configure_logging("info", "text")
    get_logger("test").warning("lost", url="rtsp://admin:s3cret@10.0.0.1/main")
    assert "lost" in lines.getvalue()
    assert "s3cret" not in lines.getvalue()


def test_a_secret_value_does_not_show(lines: Lines) -> None:
    configure_logging("info", "json")
    get_logger("test").info("logging in", password=SecretStr("s3cret"))
    assert "s3cret" not in lines.getvalue()


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    configure_logging("warning", "json")
    get_logger("test").info("hidden")
    get_logger("test").warning("shown")
    assert "hidden" not in lines.getvalue()
    assert read(lines)["event"] == "shown"


def test_chatty_libraries_keep_to_warnings_even_when_we_debug(lines: Lines) -> None:
    configure_logging("debug", "json")
    logging.getLogger("aiokafka.conn").info("chatter")
    get_logger("test").debug("detail")
    assert "chatter" not in lines.getvalue()
    assert read(lines)["event"] == "detail"


def test_chinese_stays_readable(lines: Lines) -> None:
    configure_logging("info", "json")
    get_logger("test").info("found", site="东门村")
    assert "东门村" in lines.getvalue()
