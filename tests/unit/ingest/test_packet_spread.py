"""Packet sizes as a sense: quiet cameras stay quiet, a change is noticed, false alarms make it slower to believe."""

import random
from collections.abc import Iterator

from ingest.packet_spread import MAX_PLACES, SETTLE_WINDOWS, WINDOW_PACKETS, PacketSpread

GOP = 50


def sizes(rng: random.Random, groups: int, *, more: float = 1.0) -> Iterator[tuple[bool, int]]:
    """Packets of a camera that sends less right after a key frame, as encoders do; `more` scales all but key frames."""
    for _ in range(groups):
        yield True, 150_000
        for place in range(1, GOP):
            usual = 2000 * min(1.0, 0.3 + place / 15)
            yield False, int(usual * more * rng.gauss(1.0, 0.1))


def alarms(spread: PacketSpread, stream: Iterator[tuple[bool, int]]) -> int:
    return sum(spread.stirs(is_key=is_key, size_bytes=size) for is_key, size in stream)


def settled(rng: random.Random) -> PacketSpread:
    spread = PacketSpread()
    alarms(spread, sizes(rng, 3 * SETTLE_WINDOWS))
    return spread


def test_a_quiet_camera_gives_no_alarm_in_ten_minutes() -> None:
    rng = random.Random(4)
    assert alarms(settled(rng), sizes(rng, 300)) <= 2


def test_a_third_more_bits_is_noticed_within_half_a_second() -> None:
    rng = random.Random(4)
    spread = settled(rng)
    group = list(sizes(rng, 1, more=1.35))
    assert alarms(spread, iter(group[: 1 + WINDOW_PACKETS])) == 1


def test_what_stays_becomes_usual() -> None:
    rng = random.Random(4)
    spread = settled(rng)
    assert alarms(spread, sizes(rng, 60, more=1.35)) > 0
    assert alarms(spread, sizes(rng, 60, more=1.35)) <= 2


def test_nothing_is_said_before_the_camera_is_known() -> None:
    rng = random.Random(4)
    spread = PacketSpread()
    assert alarms(spread, sizes(rng, 2)) + alarms(spread, sizes(rng, SETTLE_WINDOWS - 2, more=3.0)) == 0


def test_a_false_alarm_raises_the_bar() -> None:
    rng = random.Random(4)
    spread = settled(rng)
    for _ in range(4):
        spread.note_false_alarm()
    assert alarms(spread, sizes(rng, 1, more=1.2)) == 0


def test_after_a_gap_it_waits_for_a_key_frame() -> None:
    rng = random.Random(4)
    spread = settled(rng)
    spread.reset_window()
    assert not any(spread.stirs(is_key=False, size_bytes=10**6) for _ in range(200))


def test_a_group_of_any_length_is_taken() -> None:
    spread = PacketSpread()
    spread.stirs(is_key=True, size_bytes=1)
    for _ in range(WINDOW_PACKETS * (MAX_PLACES + 5)):
        spread.stirs(is_key=False, size_bytes=0)
