"""Cameras, good and bad, over real RTSP: what arrives, what people are told, and what it costs."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from alerts.contract import DeviceCondition
from devices.model import Credentials, Secret, Transport
from ingest.camera_errors import CameraError, ProblemCode
from ingest.condition import Condition
from ingest.decode_policy import FramePolicy, Mode
from ingest.libav_session import LibavSession
from ingest.packet import Codec, Packet, StreamInfo
from ingest.probe import Login, probe
from ingest.receiver import CameraReceiver
from ingest.ring import PacketRing
from ingest.session import StreamSource
from runtime.clock import NS_PER_S, SystemClock
from tests.servers.hostile_rtsp import HostileRtsp
from tests.servers.rtsp import RtspServer
from tests.waiting import eventually, wait_until

SILENCE_S = 2.0
MANY_BYTES = 80 << 20


class Heard:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.infos: list[StreamInfo] = []
        self.packets: list[tuple[int, bool, int]] = []
        self.ages_s: list[float] = []
        self.calls: list[str] = []
        self.error: CameraError | None = None
        self.is_over = threading.Event()

    def opened(self, info: StreamInfo) -> None:
        self.infos.append(info)
        self.calls.append("opened")

    def packet(self, pts_90k: int, is_key: bool, raw: bytes, age_s: float = 0.0) -> None:
        self.ages_s.append(age_s)
        self.packets.append((pts_90k, is_key, len(raw)))
        if self.calls[-1] != "packet":
            self.calls.append("packet")
            assert is_key, "the first packet of a description is a key frame"
        assert raw.startswith((b"\x00\x00\x01", b"\x00\x00\x00\x01"))

    def ended(self, error: CameraError | None) -> None:
        self.error = error
        self.calls.append("ended")
        self.is_over.set()

    @property
    def code(self) -> ProblemCode | None:
        assert self.is_over.wait(20), "the session did not end"
        return self.error.problem.code if self.error else None


@contextmanager
def listening(source: StreamSource) -> Iterator[Heard]:
    """A session with `source`; stopped, and checked to stop, at the end."""
    heard, session = Heard(), LibavSession("test", source, silence_s=SILENCE_S)
    session.start(heard)
    yield heard
    session.stop()
    assert session.join(2.0), "the session did not stop within 2 s"
    assert heard.calls.count("ended") == 1
    assert heard.calls[-1] == "ended"


def login_of(server: RtspServer) -> Credentials:
    return Credentials(server.user, Secret(server.password))


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.UDP])
@pytest.mark.parametrize(
    ("mount", "codec", "size"), [("large", Codec.H264, (1280, 720)), ("street-h265", Codec.H265, (704, 400))]
)
def test_packets_come_in(
    rtsp_server: RtspServer, mount: str, codec: Codec, size: tuple[int, int], transport: Transport
) -> None:
    with listening(StreamSource(rtsp_server.url(mount), transport=transport)) as heard:
        wait_until(lambda: len(heard.packets) >= 30)
    info = heard.infos[0]
    assert (info.codec, info.width_px, info.height_px) == (codec, *size)
    times = [pts for pts, _, _ in heard.packets]
    fps = 25 if codec is Codec.H264 else 15
    assert np.diff(times[:30]) == pytest.approx(90_000 / fps, abs=2)


@pytest.mark.parametrize("login", ["digest", "basic"])
def test_a_login_with_any_characters_is_accepted(rtsp_server: RtspServer, login: str) -> None:
    url = rtsp_server.url_without_login("large", login)
    with listening(StreamSource(url, login_of(rtsp_server))) as heard:
        wait_until(lambda: len(heard.packets) >= 5)


@pytest.mark.parametrize("login", ["digest", "basic"])
def test_a_wrong_password_is_called_so_and_stays_secret(rtsp_server: RtspServer, login: str) -> None:
    wrong = Credentials(rtsp_server.user, Secret("wr0ng@pass"))
    with listening(StreamSource(rtsp_server.url_without_login("large", login), wrong)) as heard:
        assert heard.code is ProblemCode.LOGIN_REFUSED
    assert heard.error is not None
    assert heard.error.__context__ is None, "no error of libav's, which holds the URL, hangs on to it"
    assert "wr0ng" not in f"{heard.error!r} {heard.error}"


def test_a_missing_login_is_called_so(rtsp_server: RtspServer) -> None:
    with listening(StreamSource(rtsp_server.url_without_login("large"))) as heard:
        assert heard.code is ProblemCode.LOGIN_MISSING


def test_an_unknown_path_is_called_so(rtsp_server: RtspServer) -> None:
    with listening(StreamSource(rtsp_server.url("no-such-stream"))) as heard:
        assert heard.code is ProblemCode.NOT_FOUND


def test_a_stream_that_ends_is_told_as_closed_by_the_camera(rtsp_server: RtspServer) -> None:
    with listening(StreamSource(rtsp_server.url("ends"))) as heard:
        assert heard.code is ProblemCode.CLOSED_BY_CAMERA
    assert len(heard.packets) > 50


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def unreachable_port() -> Iterator[int]:
    """A port whose queue is full, so that connecting hangs as with a host that is not there."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for connection in (first, second):
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
        yield port


def test_a_closed_port_is_refused(closed_port: int) -> None:
    with listening(StreamSource(f"rtsp://127.0.0.1:{closed_port}/stream")) as heard:
        assert heard.code is ProblemCode.REFUSED


def test_a_host_that_does_not_react_is_unreachable(unreachable_port: int) -> None:
    with listening(StreamSource(f"rtsp://127.0.0.1:{unreachable_port}/stream")) as heard:
        assert heard.code is ProblemCode.UNREACHABLE


def test_a_host_name_that_does_not_exist_is_called_so() -> None:
    with listening(StreamSource("rtsp://camera.invalid/stream")) as heard:
        assert heard.code is ProblemCode.HOST_UNKNOWN


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "rtsp:///stream", "rtsp://h:notaport/x", "concat://a|b"])
def test_an_address_that_is_none_is_called_so(url: str) -> None:
    with listening(StreamSource(url)) as heard:
        assert heard.code is ProblemCode.BAD_ADDRESS


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("never-answers", ProblemCode.NO_ANSWER),
        ("closes-at-once", ProblemCode.CLOSED_BY_CAMERA),
        ("not-rtsp", ProblemCode.NOT_RTSP),
        ("noise", ProblemCode.NOT_RTSP),
        ("endless-header", ProblemCode.NO_ANSWER),
        ("huge-sdp", ProblemCode.NO_ANSWER),
        ("no-video", ProblemCode.NOT_VIDEO),
        ("garbage-after", ProblemCode.GARBAGE),
        ("random-payload", ProblemCode.GARBAGE),
        ("wrong-codec", ProblemCode.GARBAGE),
        ("no-parameter-sets", ProblemCode.PARAMETER_SETS_MISSING),
        ("stalls", ProblemCode.STOPPED_SENDING),
        ("reconnects", ProblemCode.CLOSED_BY_CAMERA),
    ],
)
def test_a_camera_that_misbehaves_gets_a_name_for_it_and_little_memory(
    hostile_rtsp: HostileRtsp, path: str, code: ProblemCode
) -> None:
    before_bytes = _peak_bytes()
    with listening(StreamSource(hostile_rtsp.url(path))) as heard:
        # A machine too busy for libav to chew on the garbage cannot tell it from silence: both are right.
        also = ProblemCode.STOPPED_SENDING if path == "garbage-after" else code
        assert heard.code in {code, also}
    assert _peak_bytes() - before_bytes < MANY_BYTES


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("path", ["stalls", "garbage-after", "no-parameter-sets"])
def test_a_session_stops_at_once_in_the_middle_of_trouble(hostile_rtsp: HostileRtsp, path: str) -> None:
    heard, session = Heard(), LibavSession("test", StreamSource(hostile_rtsp.url(path)), silence_s=SILENCE_S)
    session.start(heard)
    wait_until(lambda: heard.packets or heard.is_over.is_set())
    session.stop()
    assert session.join(2.0)


class Rig:
    """A receiver with its ring, run on the test's loop."""

    def __init__(self, source: StreamSource) -> None:
        self.ring = PacketRing(12.0, 16 << 20)
        self.told: list[Condition] = []
        self.receiver = CameraReceiver(
            "cam",
            lambda: LibavSession("cam", source, silence_s=SILENCE_S),
            self.ring,
            clock=SystemClock(),
            on_condition=self.told.append,
        )

    @property
    def codes(self) -> list[str]:
        return [told.code for told in self.told]


@asynccontextmanager
async def running(source: StreamSource) -> AsyncIterator[Rig]:
    rig = Rig(source)
    task = asyncio.create_task(rig.receiver.run())
    yield rig
    started_s = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started_s < 2


def ring_packets(ring: PacketRing) -> list[Packet]:
    packets: list[Packet] = []
    cursor = ring.tail
    while (batch := ring.read(cursor)).packets:
        packets += batch.packets
        cursor = batch.next_index
    return packets


async def test_a_camera_is_online_with_packets_stamped_by_the_hosts_clock(rtsp_server: RtspServer) -> None:
    async with running(StreamSource(rtsp_server.url("large"))) as rig:
        await eventually(lambda: rig.ring.head >= 50)
        now_ns = time.time_ns()
    packets = ring_packets(rig.ring)
    assert rig.codes == ["online"]
    assert abs(packets[49].stamp.t_ns - now_ns) < 2 * NS_PER_S
    steps = np.diff([packet.stamp.t_ns for packet in packets[:50]])
    assert steps == pytest.approx(NS_PER_S / 25, rel=0.01)
    assert [packet.stamp.seq for packet in packets] == list(range(len(packets)))


async def test_a_change_of_size_in_mid_stream_is_a_new_epoch_that_decodes(rtsp_server: RtspServer) -> None:
    async with running(StreamSource(rtsp_server.url("resize"))) as rig:
        policy = FramePolicy(rig.ring, _ActiveGate(), 25.0)
        seen: list[tuple[int, int]] = []

        def sizes() -> bool:
            for frame, _ in policy.step():
                size = (frame.width_px, frame.height_px)
                if not seen or seen[-1] != size:
                    seen.append(size)
            return len(seen) >= 3

        await eventually(sizes, 20)
    assert set(seen) == {(1280, 720), (640, 360)}
    assert rig.codes == ["online"], "the session went on"
    assert rig.ring.epoch >= 2


async def test_a_camera_that_stops_sending_is_offline_with_the_reason_and_is_tried_again(
    rtsp_server: RtspServer,
) -> None:
    async with running(StreamSource(rtsp_server.url("stalls"))) as rig:
        await eventually(lambda: rig.codes[:3] == ["online", "stopped_sending", "online"], 25)
    assert rig.told[1].condition is DeviceCondition.OFFLINE
    assert rig.told[1].since_ns > rig.told[0].since_ns
    assert rig.ring.epoch >= 1


async def test_a_server_that_dies_and_comes_back_is_found_again(own_rtsp_server: Callable[[], RtspServer]) -> None:
    server = own_rtsp_server()
    async with running(StreamSource(server.url("large"))) as rig:
        await eventually(lambda: rig.codes == ["online"])
        server.kill()
        await eventually(lambda: "refused" in rig.codes, 15)
        await asyncio.to_thread(server.start)
        await eventually(lambda: rig.codes[-1] == "online", 20)


async def test_a_camera_that_reconnects_for_ever_costs_few_connections_and_one_thread(
    hostile_rtsp: HostileRtsp,
) -> None:
    before = hostile_rtsp.connections("reconnects")
    threads: list[int] = []
    async with running(StreamSource(hostile_rtsp.url("reconnects"))) as rig:

        def is_unstable() -> bool:
            threads.append(sum(thread.name == "session-cam" for thread in threading.enumerate()))
            return "unstable" in rig.codes

        await eventually(is_unstable, 25)
    assert hostile_rtsp.connections("reconnects") - before <= 4
    assert max(threads) == 1
    assert rig.told[-1].condition is DeviceCondition.DEGRADED


class _ActiveGate:
    """Everything stirs."""

    def stirs(self, luma: NDArray[np.uint8], t_ns: int) -> bool:
        return True


class _NthKeyGate:
    """Stirs from the n-th picture it is shown on."""

    def __init__(self, n: int) -> None:
        self._left = n
        self.noticed_ns = 0

    def stirs(self, luma: NDArray[np.uint8], t_ns: int) -> bool:
        self._left -= 1
        if self._left <= 0 and not self.noticed_ns:
            self.noticed_ns = t_ns
        return self._left <= 0


async def test_look_back_on_a_live_camera_gives_frames_of_before_with_true_times(rtsp_server: RtspServer) -> None:
    async with running(StreamSource(rtsp_server.url("street"))) as rig:
        await eventually(lambda: rig.ring.head > 0, 15)
        gate = _NthKeyGate(3)
        policy = FramePolicy(rig.ring, gate, 5.0)
        decoded = []

        def has_active_frames() -> bool:
            decoded.extend(policy.step())
            return any(mode is Mode.ACTIVE for _, mode in decoded)

        await eventually(has_active_frames, 20)
    before = [frame.stamp for frame, mode in decoded if mode is Mode.LOOK_BACK and frame.stamp.t_ns < gate.noticed_ns]
    assert len(before) >= 8, "2 s between key frames, 5 frames a second"
    by_seq = {packet.stamp.seq: packet.stamp for packet in ring_packets(rig.ring)}
    assert all(by_seq[stamp.seq] == stamp for stamp in before), "a frame carries its own packet's stamp"
    assert np.diff([stamp.t_ns for stamp in before]) == pytest.approx(NS_PER_S / 5, rel=0.15)


def test_a_probe_tells_what_an_installer_wants_to_know(rtsp_server: RtspServer) -> None:
    url = rtsp_server.url_without_login("large")
    report = probe(url, login_of(rtsp_server))
    assert report.problem is None
    assert (report.reached, report.login) == (True, Login.ACCEPTED)
    assert report.info is not None
    assert (report.info.codec, report.info.width_px, report.info.height_px) == (Codec.H264, 1280, 720)
    assert report.fps == pytest.approx(25, rel=0.05)
    assert report.key_interval_s == pytest.approx(1.0, rel=0.05)
    assert report.bit_rate_bps == pytest.approx(1.5e6, rel=0.4)
    assert report.picture is not None
    assert report.picture.startswith(b"\xff\xd8")
    assert report.took_s < 5


@pytest.mark.parametrize("path", ["never-answers", "endless-header", "garbage-after", "wrong-codec", "huge-sdp"])
def test_a_probe_never_takes_longer_than_five_seconds(hostile_rtsp: HostileRtsp, path: str) -> None:
    started_s = time.monotonic()
    report = probe(hostile_rtsp.url(path))
    assert time.monotonic() - started_s < 5.2
    assert report.problem is not None or path == "garbage-after"


def test_a_probe_of_a_closed_port_says_so_at_once(closed_port: int) -> None:
    report = probe(f"rtsp://127.0.0.1:{closed_port}/x")
    assert not report.reached
    assert report.problem is not None
    assert report.problem.code is ProblemCode.REFUSED
    assert report.took_s < 1
