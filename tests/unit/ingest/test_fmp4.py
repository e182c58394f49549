"""Fragmented MP4 from packets."""

import io
import itertools
import struct
from pathlib import Path

import av
import pytest

from ingest.decode_times import DecodeTimes, SteadyTimes, reorder_depth
from ingest.fmp4 import FragmentWriter
from ingest.nal_units import START_CODE, parameter_set_units, split_annex_b
from ingest.packet import Codec, Packet, StreamInfo
from ingest.salvage import boxes, duration_ns, keep_whole_fragments
from runtime.errors import InvalidInputError
from tests.unit.ingest.made_stream import FPS, GOP, STEP_90K, later, made_stream


def written(packets: tuple[Packet, ...] | list[Packet], info: StreamInfo) -> bytes:
    sink = io.BytesIO()
    writer = FragmentWriter(sink, info)
    for packet in packets:
        writer.write(packet)
    writer.close()
    return sink.getvalue()


def box_types(content: bytes, folder: Path) -> list[bytes]:
    path = folder / "file.mp4"
    path.write_bytes(content)
    with path.open("rb") as file:
        return [kind for kind, _, _ in boxes(file)]


def demuxed(content: bytes) -> list[tuple[int, int, bool]]:
    with av.open(io.BytesIO(content)) as container:
        return [
            (packet.pts, packet.dts, packet.is_keyframe)
            for packet in container.demux(video=0)
            if packet.pts is not None and packet.dts is not None
        ]


def decoded_frames(content: bytes) -> int:
    with av.open(io.BytesIO(content)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_every_packet_comes_back_in_order_and_decodes(codec: Codec, b_frames: int) -> None:
    info, packets = made_stream(3, codec, b_frames)
    content = written(packets, info)
    times = demuxed(content)
    assert len(times) == decoded_frames(content) == 3 * FPS
    first = times[0][0]
    assert [pts - first for pts, _, _ in times] == [p.pts_90k - packets[0].pts_90k for p in packets]
    assert [key for _, _, key in times] == [p.is_key for p in packets]


def test_time_begins_at_zero_whatever_the_camera_counts_from() -> None:
    info, packets = made_stream()
    times = demuxed(written([later(packet, 0, pts_shift_s=12345.6) for packet in packets], info))
    assert times[0][:2] == (0, 0)


def test_the_structure_is_what_a_browser_plays(tmp_path: Path) -> None:
    info, packets = made_stream()
    content = written(packets, info)
    kinds = box_types(content, tmp_path)
    assert kinds[:4] == [b"ftyp", b"moov", b"moof", b"mdat"]
    assert kinds.count(b"moof") >= 3
    assert b"mvex" in content
    assert b"avc1" in content


def test_h265_is_marked_as_browsers_and_phones_want_it() -> None:
    info, packets = made_stream(1, Codec.H265)
    content = written(packets, info)
    assert b"hvc1" in content
    assert b"hev1" not in content


def test_a_fragment_begins_at_each_key_frame(tmp_path: Path) -> None:
    info, packets = made_stream()
    assert box_types(written(packets, info), tmp_path).count(b"moof") == 3 * FPS // GOP


def test_any_prefix_keeps_what_was_whole(tmp_path: Path) -> None:
    info, packets = made_stream()
    content = written(packets, info)
    path = tmp_path / "cut.mp4"
    kept = []
    for size in range(0, len(content), 997):
        path.write_bytes(content[:size])
        if fragments := keep_whole_fragments(path):
            assert decoded_frames(path.read_bytes()) == fragments * GOP
            assert duration_ns(path) == fragments * 1_000_000_000
        kept.append(fragments)
    assert kept == sorted(kept)
    assert kept[-1] >= 2


def avcc(annex_b: bytes) -> bytes:
    sps, pps = parameter_set_units(Codec.H264, annex_b)[:2]
    return b"".join(
        [bytes([1, *sps[1:4], 0xFF, 0xE1]), struct.pack(">H", len(sps)), sps, b"\x01", struct.pack(">H", len(pps)), pps]
    )


def with_lengths(packet: Packet) -> Packet:
    units = [unit for unit in split_annex_b(packet.raw) if unit[0] & 0x1F not in (7, 8)]
    raw = b"".join(struct.pack(">I", len(unit)) + unit for unit in units)
    return Packet(packet.stamp, packet.pts_90k, packet.is_key, raw)


def test_length_prefixed_packets_with_avcc_give_the_same_pictures() -> None:
    info, packets = made_stream()
    other = StreamInfo(info.codec, info.width_px, info.height_px, avcc(packets[0].raw))
    content = written([with_lengths(packet) for packet in packets], other)
    assert decoded_frames(content) == len(packets)


def test_annex_b_packets_with_avcc_are_taken_for_what_they_are() -> None:
    info, packets = made_stream()
    other = StreamInfo(info.codec, info.width_px, info.height_px, avcc(packets[0].raw))
    assert decoded_frames(written(packets, other)) == len(packets)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_parameter_sets_may_stand_in_the_packets_alone(codec: Codec) -> None:
    info, packets = made_stream(3, codec)
    bare = StreamInfo(codec, info.width_px, info.height_px, b"")
    assert decoded_frames(written(packets, bare)) == len(packets)


def without_sets(packet: Packet, codec: Codec) -> Packet:
    sets = set(parameter_set_units(codec, packet.raw))
    raw = b"".join(START_CODE + unit for unit in split_annex_b(packet.raw) if unit not in sets)
    return Packet(packet.stamp, packet.pts_90k, packet.is_key, raw)


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_parameter_sets_may_stand_in_the_description_alone(codec: Codec) -> None:
    _, packets = made_stream(3, codec)
    sets = b"".join(START_CODE + unit for unit in parameter_set_units(codec, packets[0].raw))
    info = StreamInfo(codec, 96, 64, sets)
    assert decoded_frames(written([without_sets(packet, codec) for packet in packets], info)) == len(packets)


def test_a_stream_without_parameter_sets_is_refused_in_words() -> None:
    _, packets = made_stream(3, Codec.H265)
    with pytest.raises(InvalidInputError, match="parameter sets"):
        written([without_sets(packets[0], Codec.H265)], StreamInfo(Codec.H265, 96, 64, b""))


@pytest.mark.parametrize(
    "extradata", [b"\x01\x64", b"\x02junk", b"\x01" * 40, bytes([1, 100, 0, 30, 255, 255, 255, 255])]
)
def test_broken_descriptions_are_refused_in_words(extradata: bytes) -> None:
    for codec in (Codec.H264, Codec.H265):
        with pytest.raises(InvalidInputError, match="parameter sets"):
            FragmentWriter(io.BytesIO(), StreamInfo(codec, 96, 64, extradata))


def test_a_file_cannot_begin_between_key_frames() -> None:
    info, packets = made_stream()
    with pytest.raises(InvalidInputError, match="key frame"):
        written(packets[1:], info)


def test_a_codec_that_mp4_in_browsers_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"H\.264"):
        FragmentWriter(io.BytesIO(), StreamInfo(Codec.MJPEG, 96, 64, b""))


def test_an_error_of_the_disk_comes_through() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    info, packets = made_stream()
    writer = FragmentWriter(Full(), info)
    for packet in packets[:10]:
        writer.write(packet)
    with pytest.raises(OSError, match="No space"):
        writer.close()


def test_a_file_without_packets_is_empty() -> None:
    info, _ = made_stream()
    assert written([], info) == b""


def test_equal_and_backward_times_still_give_rising_decode_times() -> None:
    info, packets = made_stream()
    odd = [
        Packet(p.stamp, p.pts_90k - (2 * STEP_90K if n % 7 == 3 else 0), p.is_key, p.raw) for n, p in enumerate(packets)
    ]
    times = demuxed(written(odd, info))
    decode = [dts for _, dts, _ in times]
    assert len(times) == len(packets)
    assert all(after > before for before, after in itertools.pairwise(decode))
    assert all(pts >= dts for pts, dts, _ in times)


def test_a_clock_that_jumps_for_no_reason_does_not_stretch_the_file() -> None:
    info, packets = made_stream()
    jumped = [p if n < 15 else later(p, 0, pts_shift_s=-40_000) for n, p in enumerate(packets)]
    times = demuxed(written(jumped, info))
    assert times[-1][0] == pytest.approx((len(packets) - 1) * STEP_90K, abs=2)


def test_a_pause_that_really_was_is_kept() -> None:
    steady = SteadyTimes()
    assert steady.next_90k(500, 0) == 0
    assert steady.next_90k(500 + 30 * 90_000, 30_000_000_000) == 30 * 90_000


def test_reorder_depth_counts_packets_shown_earlier_than_those_before() -> None:
    assert reorder_depth([0, 1, 2, 3]) == 0
    assert reorder_depth([0, 3, 1, 2, 6, 4, 5]) == 1
    assert reorder_depth([0, 4, 2, 1, 3, 8, 6, 5, 7]) == 2
    assert reorder_depth([]) == 0


def test_decode_times_are_the_sorted_presentation_times_delayed() -> None:
    times = DecodeTimes(1, 10)
    assert [times.next(pts).dts_90k for pts in (0, 30, 10, 20, 60, 40, 50)] == [-10, 0, 10, 20, 30, 40, 50]
