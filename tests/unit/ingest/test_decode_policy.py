"""The decode policy: what is decoded when, and that nothing between two key frames is missed."""

import functools
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.camera_errors import ProblemCode
from ingest.decode_policy import BEHIND_NS, BLIND_NS, Decoded, FramePolicy, Mode
from ingest.decoder import Decoder, decode_key_frame
from ingest.every_frame import EveryFrame
from ingest.packet import Codec, Packet, Stamp
from ingest.ring import PacketRing
from runtime.clock import NS_PER_S
from tests.unit.ingest.synthetic import FPS, GOP, HEIGHT, WIDTH, info, packets

HOUR_NS = 3600 * NS_PER_S


class BrightnessGate:
    """Stirs when the square is in the picture; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked_ns: list[int] = []

    def stirs(self, luma: NDArray[np.uint8], t_ns: int) -> bool:
        self.asked_ns.append(t_ns)
        return bool((luma > 200).any())


@functools.cache
def square_between(start_s: float, end_s: float, seconds: float = 8.0) -> list[Packet]:
    return packets(seconds, lambda second: start_s <= second < end_s)


def run(policy: FramePolicy | EveryFrame, ring: PacketRing, stream: list[Packet]) -> list[Decoded]:
    """Packets one after the other, each looked at before the next, as in a worker that keeps up."""
    decoded: list[Decoded] = []
    for packet in stream:
        ring.append(packet)
        while policy.waiting:
            decoded += policy.step()
    return decoded


def new_ring(**bounds: float) -> PacketRing:
    ring = PacketRing(bounds.get("max_s", 10.0), 8 << 20)
    ring.begin_session(info())
    return ring


def seconds_of(decoded: list[Decoded], mode: Mode) -> list[float]:
    return [(frame.stamp.t_ns - HOUR_NS) / NS_PER_S for frame, found in decoded if found is mode]


def without_sizes(policy: FramePolicy) -> FramePolicy:
    """The policy with key frames as its only sense."""
    policy._spread.stirs = lambda **_: False  # type: ignore[method-assign]
    return policy


def test_a_quiet_camera_has_only_its_key_frames_decoded() -> None:
    ring, gate = new_ring(), BrightnessGate()
    policy = FramePolicy(ring, gate, 5.0)
    decoded = run(policy, ring, square_between(99, 99))
    assert {mode for _, mode in decoded} == {Mode.WATCH}
    assert len(decoded) == 8 * FPS / GOP
    assert policy.mode is Mode.WATCH


def test_look_back_gives_frames_from_before_the_key_frame_where_motion_was_noticed() -> None:
    ring = new_ring()
    policy = without_sizes(FramePolicy(ring, BrightnessGate(), 5.0))
    decoded = run(policy, ring, square_between(2.4, 4.5))
    looked_back = seconds_of(decoded, Mode.LOOK_BACK)
    noticed_s = 3.0
    assert looked_back == pytest.approx([2.2, 2.4, 2.6, 2.8, 3.0])
    with_square = [frame for frame, mode in decoded if mode is Mode.LOOK_BACK and (frame.luma() > 200).any()]
    assert (with_square[0].stamp.t_ns - HOUR_NS) / NS_PER_S == pytest.approx(2.4)
    assert with_square[0].stamp.t_ns < HOUR_NS + noticed_s * NS_PER_S


def test_packet_sizes_alone_find_what_comes_and_goes_between_two_key_frames() -> None:
    ring = new_ring()
    policy = FramePolicy(ring, BrightnessGate(), 5.0)
    decoded = run(policy, ring, packets(14.0, lambda second: 12.1 <= second < 12.9))
    frames = [frame for frame, mode in decoded if mode is not Mode.WATCH and (frame.luma() > 200).any()]
    assert frames, "no key frame shows the square, its packets do"
    assert 12.0 < (frames[0].stamp.t_ns - HOUR_NS) / NS_PER_S <= 12.3


def test_a_camera_with_rare_key_frames_is_never_blind_for_longer_than_the_bound() -> None:
    ring = new_ring(max_s=12.0)
    policy = without_sizes(FramePolicy(ring, BrightnessGate(), 5.0))
    decoded = run(policy, ring, packets(17.0, lambda second: 5.2 <= second < 6.0, gop=8 * FPS))
    with_square = [frame for frame, mode in decoded if mode is not Mode.WATCH and (frame.luma() > 200).any()]
    assert (with_square[0].stamp.t_ns - HOUR_NS) / NS_PER_S == pytest.approx(5.2)
    blind_s = BLIND_NS / NS_PER_S
    assert np.diff([(frame.stamp.t_ns - HOUR_NS) / NS_PER_S for frame, _ in decoded]).max() < blind_s


def test_frames_rise_in_time_and_are_sampled_at_the_detect_rate() -> None:
    ring = new_ring()
    decoded = run(FramePolicy(ring, BrightnessGate(), 5.0), ring, square_between(2.4, 4.5))
    times = [frame.stamp.t_ns for frame, _ in decoded]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    active = seconds_of(decoded, Mode.ACTIVE)
    assert np.diff(active) == pytest.approx(0.2)


def test_the_gate_is_asked_in_order_of_time() -> None:
    ring, gate = new_ring(), BrightnessGate()
    run(FramePolicy(ring, gate, 5.0), ring, square_between(2.4, 4.5))
    assert gate.asked_ns == sorted(set(gate.asked_ns))


def test_an_active_camera_is_quiet_again_when_the_scene_has_been_still_for_long_enough() -> None:
    ring = new_ring()
    policy = without_sizes(FramePolicy(ring, BrightnessGate(), 5.0, still_after_s=1.0))
    decoded = run(policy, ring, square_between(2.4, 4.5))
    assert seconds_of(decoded, Mode.ACTIVE)[-1] == pytest.approx(4.4 + 1.2)
    assert seconds_of(decoded, Mode.WATCH) == pytest.approx([0, 1, 2, 6, 7])


def test_a_camera_stays_active_while_the_pipeline_asks_for_more() -> None:
    ring = new_ring()
    policy = FramePolicy(ring, BrightnessGate(), 5.0, still_after_s=1.0, hold=lambda: True)
    decoded = run(policy, ring, square_between(2.4, 4.5))
    assert seconds_of(decoded, Mode.ACTIVE)[-1] == pytest.approx(7.8)


def test_a_policy_that_fell_behind_goes_on_at_the_newest_key_frame_and_counts_the_loss() -> None:
    ring = new_ring(max_s=2.0)
    policy = FramePolicy(ring, BrightnessGate(), 5.0)
    for packet in square_between(99, 99):
        ring.append(packet)
    decoded = policy.step()
    assert seconds_of(decoded, Mode.WATCH) == [7.0]
    assert policy.skipped == 7 * FPS


def test_an_active_policy_that_is_too_late_jumps_to_now() -> None:
    ring, gate = new_ring(), BrightnessGate()
    policy = FramePolicy(ring, gate, 5.0)
    stream = square_between(0.0, 8.0)
    run(policy, ring, stream[: 2 * FPS])
    assert policy.mode is Mode.ACTIVE
    for packet in stream[2 * FPS :]:
        ring.append(packet)
    first = policy.step()[0][0].stamp.t_ns
    assert first - HOUR_NS > 2 * NS_PER_S + BEHIND_NS
    assert policy.skipped == 5 * FPS


def test_one_step_does_a_bounded_amount_of_work() -> None:
    ring = new_ring(max_s=60.0)
    policy = FramePolicy(ring, BrightnessGate(), 25.0)
    for packet in square_between(2.4, 4.5):
        ring.append(packet)
    while policy.waiting:
        assert len(policy.step()) <= 12


def test_damage_is_skipped_to_the_next_key_frame() -> None:
    ring = new_ring()
    policy = FramePolicy(ring, BrightnessGate(), 25.0)
    stream = list(square_between(0.0, 8.0))
    for place in range(30, 34):
        old = stream[place]
        stream[place] = Packet(old.stamp, old.pts_90k, old.is_key, b"\x00\x00\x00\x01\x41" + b"\x5a" * 200)
    decoded = run(policy, ring, stream)
    seconds = seconds_of(decoded, Mode.ACTIVE)
    assert not [second for second in seconds if 1.2 <= second < 2.0], "what follows damage is not trusted"
    assert seconds[-1] == pytest.approx(7.96)
    assert policy.problem is None


def test_garbage_that_lasts_is_a_problem_with_a_name_and_clears_again() -> None:
    ring = new_ring()
    policy = FramePolicy(ring, BrightnessGate(), 5.0)
    good = square_between(99, 99)
    ring.append(good[0])
    policy.step()
    for seq in range(1, 200):
        stamp = Stamp("cam", seq, HOUR_NS + seq * NS_PER_S // FPS)
        ring.append(Packet(stamp, seq * 3600, seq % GOP == 0, b"\x00\x00\x00\x01\x65" + bytes([seq]) * 300))
        while policy.waiting:
            policy.step()
    assert policy.problem is not None
    assert policy.problem.code is ProblemCode.GARBAGE
    ring.append(Packet(Stamp("cam", 200, HOUR_NS + 8 * NS_PER_S), 8 * 90_000, True, good[0].raw))
    policy.step()
    assert policy.problem is None


def test_a_new_epoch_gets_a_new_decoder_and_the_policy_stays_active() -> None:
    ring, gate = new_ring(), BrightnessGate()
    policy = FramePolicy(ring, gate, 5.0)
    run(policy, ring, square_between(0.0, 8.0)[:60])
    ring.begin_session(info(Codec.H265))
    other = [
        Packet(Stamp("cam", item.stamp.seq, item.stamp.t_ns + 3 * NS_PER_S), item.pts_90k, item.is_key, item.raw)
        for item in packets(2.0, lambda _: True, Codec.H265)
    ]
    decoded = run(policy, ring, other)
    assert len(decoded) == pytest.approx(10, abs=1)
    assert {mode for _, mode in decoded} == {Mode.ACTIVE}


def test_every_frame_decodes_every_frame() -> None:
    ring = new_ring()
    policy = EveryFrame(ring)
    stream = square_between(2.4, 4.5)
    decoded = run(policy, ring, stream) + policy.drain()
    assert [frame.stamp for frame, _ in decoded] == [packet.stamp for packet in stream]


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265])
def test_a_key_frame_is_decoded_by_itself(codec: Codec) -> None:
    frame = decode_key_frame(info(codec), packets(0.2, codec=codec)[0])
    assert frame is not None
    assert frame.luma().shape == (HEIGHT, WIDTH)
    assert frame.bgr(64, 48).shape == (48, 64, 3)


def test_a_decoder_counts_garbage_and_goes_on() -> None:
    decoder = Decoder(info())
    stream = packets(0.4)
    assert decoder.decode(Packet(Stamp("cam", 0, 0), 0, True, b"\x00\x00\x00\x01\x65garbage")) == []
    assert decoder.errors == 1
    assert [len(decoder.decode(packet)) for packet in stream] == [1] * len(stream)
