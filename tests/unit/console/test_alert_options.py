"""What people type at `sharpeyes alerts`, and what they are shown."""

from datetime import datetime

import pytest

from alerts.contract import AlertKind, AlertStatus
from console.alert_options import Wanted, read_moment
from console.alert_output import line, printable
from devices.model import Severity
from runtime.clock import NS_PER_S, to_ns
from runtime.errors import InvalidInputError
from tests.unit.alerts.examples import T0_NS, camera_alert


@pytest.mark.parametrize(
    ("text", "ago_s"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86_400), ("2025-12-31T00:00:00Z", 86_400)]
)
def test_a_moment_is_so_long_ago_or_a_date(text: str, ago_s: int) -> None:
    assert read_moment(text, "--since", T0_NS) == T0_NS - ago_s * NS_PER_S


def test_a_date_without_a_zone_is_local() -> None:
    assert read_moment("2026-05-01", "--since", T0_NS) == to_ns(datetime(2026, 5, 1).astimezone())


@pytest.mark.parametrize("text", ["yesterday", "", "-1h", "9999999h", "0001-01-01", "2026-13-01"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"--since: .*30m"):
        read_moment(text, "--since", T0_NS)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Wanted(), True),
        (Wanted(status=AlertStatus.OPEN, kind=AlertKind.ZONE_ENTERED, severity=Severity.WARNING), True),
        (Wanted(status=AlertStatus.CLOSED), False),
        (Wanted(device="cam-1"), True),
        (Wanted(device="cam-2"), False),
        (Wanted(site="county"), True),
        (Wanted(site="elsewhere"), False),
        (Wanted(text="水边"), True),
        (Wanted(text="ENTERED ZONE"), True),
        (Wanted(text="fire"), False),
    ],
)
def test_watching_filters_as_listing_does(wanted: Wanted, matches: bool) -> None:
    assert wanted.matches(camera_alert()) is matches


def test_a_hostile_name_does_not_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\n水") == "a\ufffd[2Jb\ufffd水"


def test_a_revision_is_one_line() -> None:
    shown = line(camera_alert()).plain
    assert "\n" not in shown
    assert "#1" in shown
