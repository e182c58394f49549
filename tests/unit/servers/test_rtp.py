from pathlib import Path

from tests.servers.rtp import MAX_PAYLOAD_BYTES, Packetizer, pictures

START = b"\x00\x00\x00\x01"


def test_pictures_end_with_their_slice_and_carry_what_comes_before_it(tmp_path: Path) -> None:
    path = tmp_path / "x.h264"
    path.write_bytes(START + b"\x67sps" + START + b"\x68pps" + START + b"\x65key" + START + b"\x41next")
    assert pictures(path) == [[b"\x67sps", b"\x68pps", b"\x65key"], [b"\x41next"]]


def test_parameter_sets_of_h265_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "x.h265"
    units = [bytes([kind << 1, 1]) + b"body" for kind in (32, 33, 34, 19, 1)]
    path.write_bytes(b"".join(START + unit for unit in units))
    assert pictures(path, without_parameter_sets=True) == [[units[3]], [units[4]]]


def test_a_long_unit_is_cut_and_can_be_joined_again() -> None:
    unit = b"\x65" + bytes(range(1, 256)) * 20
    packets = list(Packetizer().picture([unit], 90))
    assert len(packets) > 1
    assert all(len(packet) <= 12 + 2 + MAX_PAYLOAD_BYTES for packet in packets)
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]
    first = packets[0]
    assert bytes([(first[12] & 0xE0) | (first[13] & 0x1F)]) + b"".join(packet[14:] for packet in packets) == unit
    assert packets[0][13] & 0xC0 == 0x80
    assert packets[-1][13] & 0xC0 == 0x40
