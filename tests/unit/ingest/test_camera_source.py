"""Sources as libav is given them, the beginning of a session, and what people read when it fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.model import Credentials, Secret, Transport
from ingest.arrival import MAX_AGE_S, MAX_HELD, Beginning, Encoded
from ingest.camera_errors import CameraError, Problem, ProblemCode
from ingest.libav_address import address, host_and_port, options
from ingest.packet import Codec, StreamInfo
from ingest.session import MAX_EXTRADATA_BYTES, StreamSource
from ingest.stream_description import StreamDescription
from tests.unit.ingest.synthetic import HEIGHT, WIDTH, encoded, packets

LATE_S = 0.04


def test_the_login_goes_into_libavs_url_percent_encoded() -> None:
    source = StreamSource("rtsp://camera:554/live", Credentials("admin@x", Secret("a:b/c%")))
    assert address(source) == "rtsp://admin%40x:a%3Ab%2Fc%25@camera:554/live"


def test_a_login_longer_than_libav_keeps_is_refused_without_repeating_it() -> None:
    source = StreamSource("rtsp://camera/live", Credentials("admin", Secret("p" * 125)))
    with pytest.raises(CameraError) as caught:
        address(source)
    assert caught.value.problem.code is ProblemCode.LOGIN_TOO_LONG
    assert "ppp" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("rtsp://h/x", ("h", 554)), ("rtsps://h/x", ("h", 322)), ("rtsp://[::1]:8554/x", ("::1", 8554))],
)
def test_the_port_is_rtsps_own_unless_given(url: str, expected: tuple[str, int]) -> None:
    assert host_and_port(StreamSource(url)) == expected


def test_a_file_may_not_make_libav_open_other_addresses() -> None:
    allowed = options(StreamSource("street.mp4"), 5)
    assert allowed["protocol_whitelist"] == "file"
    assert not {"hls", "concat", "dash"} & set(allowed["format_whitelist"].split(","))


def test_transport_and_time_out_reach_libav() -> None:
    found = options(StreamSource("rtsp://h/x", transport=Transport.UDP), 2.5)
    assert (found["rtsp_transport"], found["timeout"]) == ("udp", "2500000")


def arrivals(beginning: Beginning, stream: list[tuple[int | None, float]]) -> list[Encoded]:
    found = [
        item
        for number, (pts, waited_s) in enumerate(stream)
        for item in beginning.take(pts, number == 0, bytes([number % 250]), waited_s)
    ]
    return [*found, *beginning.end()]


def test_packets_read_ahead_are_as_old_as_their_times_say() -> None:
    found = arrivals(Beginning(25.0), [(None, 0), (3600, 0), (7200, 0), (10_800, LATE_S), (14_400, LATE_S)])
    assert [(item.pts_90k, round(item.age_s, 3)) for item in found] == [
        (0, 0.12),
        (3600, 0.08),
        (7200, 0.04),
        (10_800, 0.0),
        (14_400, 0.0),
    ]


def test_packets_that_never_have_a_time_are_not_waited_for_long() -> None:
    beginning = Beginning(25.0)
    counts = [len(list(beginning.take(None, False, b"", LATE_S))) for _ in range(5)]
    assert counts == [0, 0, 3, 1, 1]


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.integers(-(2**40), 2**40)), st.floats(0, 0.1)), max_size=100),
    st.one_of(st.none(), st.floats(0.001, 1000)),
)
def test_whatever_its_times_are_no_packet_is_lost_or_out_of_order(
    stream: list[tuple[int | None, float]], fps: float | None
) -> None:
    found = arrivals(Beginning(fps), stream)
    assert [item.raw for item in found] == [bytes([number % 250]) for number in range(len(stream))]
    assert all(0 <= item.age_s <= MAX_AGE_S for item in found)


def test_a_source_that_never_waits_is_held_back_for_a_few_packets_only() -> None:
    beginning = Beginning(25.0)
    counts = [len(list(beginning.take(number * 3600, False, b"", 0.0))) for number in range(100)]
    assert counts == [0] * (MAX_HELD - 1) + [MAX_HELD] + [1] * (100 - MAX_HELD)


def promise(codec: Codec = Codec.H264, width: int = 0, height: int = 0, extradata: bytes = b"") -> StreamInfo:
    return StreamInfo(codec, width, height, extradata, 25.0)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_size_and_parameter_sets_come_from_the_key_frame_when_nobody_announced_them(codec: Codec) -> None:
    key = packets(0.1, codec=codec)[0].raw
    description = StreamDescription(promise(codec))
    info = description.look_at(key)
    assert info is not None
    assert (info.width_px, info.height_px) == (WIDTH, HEIGHT)
    assert info.extradata.startswith(b"\x00\x00\x00\x01")
    assert description.look_at(key) is None, "told once"


def test_a_change_of_size_is_a_new_description() -> None:
    description = StreamDescription(promise())
    first = description.look_at(packets(0.1)[0].raw)
    _, _, wider = next(iter(encoded(0.1, lambda _: False, width=WIDTH * 2)))
    second = description.look_at(wider)
    assert first is not None
    assert second is not None
    assert (first.width_px, second.width_px) == (WIDTH, 2 * WIDTH)


def test_h265_without_parameter_sets_is_called_so() -> None:
    slice_alone = b"\x00\x00\x00\x01\x26\x01" + b"\x5a" * 300
    with pytest.raises(CameraError) as caught:
        StreamDescription(promise(Codec.H265)).look_at(slice_alone)
    assert caught.value.problem.code is ProblemCode.PARAMETER_SETS_MISSING


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (promise(width=20_000, height=100), ProblemCode.TOO_LARGE),
        (promise(width=8000, height=8000), ProblemCode.TOO_LARGE),
        (promise(extradata=b"\x00\x00\x00\x01" + bytes(MAX_EXTRADATA_BYTES)), ProblemCode.TOO_LARGE),
    ],
)
def test_what_is_too_large_is_refused_before_anything_is_decoded(info: StreamInfo, code: ProblemCode) -> None:
    with pytest.raises(CameraError) as caught:
        StreamDescription(info)
    assert caught.value.problem.code is code


@pytest.mark.parametrize("code", list(ProblemCode))
def test_every_problem_says_what_and_what_to_check_next_in_both_languages(code: ProblemCode) -> None:
    problem = Problem(code, "x264")
    for text in (problem.what, problem.check_next, problem.reason):
        assert any("一" <= char <= "鿿" for char in text.zh)
        assert text.en.isascii()
        assert not text.en.endswith("..")
    assert "x264" in problem.reason.en
