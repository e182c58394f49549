"""The simulated cameras as other players and rude clients meet them."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from ingest.simulated_camera import SimulatedCameras
from ingest.simulated_media import load_media
from runtime.errors import ConfigurationError
from tests.servers.cache import find_program
from tests.unit.ingest.made_stream import FPS, made_stream
from tests.waiting import eventually

LAP = 30
"""Pictures of the file that is played: 3 s."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return film_of(tmp_path / "film.mp4", b_frames=0)


def film_of(path: Path, b_frames: int, size: tuple[int, int] = (640, 360)) -> Path:
    _, packets = made_stream(3, b_frames=b_frames, size=size)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_mux_stream("h264", width=size[0], height=size[1], time_base=Fraction(1, 90_000))
        for number, packet in enumerate(packets):
            muxed = av.Packet(packet.raw)
            muxed.stream, muxed.time_base, muxed.is_keyframe = stream, Fraction(1, 90_000), packet.is_key
            muxed.pts, muxed.dts = packet.pts_90k, (number - b_frames) * 9000
            container.mux_one(muxed)
    return path


@asynccontextmanager
async def cameras(*files: Path) -> AsyncIterator[tuple[SimulatedCameras, list[str]]]:
    server = SimulatedCameras()
    urls = [server.add(f"camera-{number}", path) for number, path in enumerate(files)]
    await server.start()
    try:
        yield server, urls
    finally:
        await server.stop()


def watch(url: str, pictures: int) -> list[tuple[float, bool]]:
    """(time in s, is key) of so many packets, by libav."""
    seen = []
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
        for packet in container.demux(video=0):
            if packet.pts is not None and packet.time_base is not None:
                seen.append((float(packet.pts * packet.time_base), packet.is_keyframe))
            if len(seen) >= pictures:
                return seen
    raise AssertionError(f"the stream ended after {len(seen)} pictures")


def decode(url: str, pictures: int) -> int:
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            assert (frame.width, frame.height) == (640, 360)
            if number >= pictures:
                return number
    raise AssertionError("the stream ended")


async def test_time_goes_on_evenly_across_the_loops_in_real_time(film: Path) -> None:
    async with cameras(film) as (_, (url,)):
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        seen = await asyncio.to_thread(watch, url, LAP + 15)
        took_s = loop.time() - began_s
    steps = [after - before for (before, _), (after, _) in itertools.pairwise(seen[1:])]
    assert steps == pytest.approx([1 / FPS] * len(steps), abs=0.002)
    assert took_s == pytest.approx(len(seen) / FPS, abs=1.5)
    assert sum(key for _, key in seen) >= 4


async def test_a_file_with_reordered_pictures_keeps_its_times(tmp_path: Path) -> None:
    async with cameras(film_of(tmp_path / "b.mp4", b_frames=2)) as (_, (url,)):
        seen = await asyncio.to_thread(watch, url, LAP + 10)
    shown = sorted(time_s for time_s, _ in seen)[4:-4]  # at both ends some of the reordered are cut off
    assert all(after - before == pytest.approx(1 / FPS, abs=0.002) for before, after in itertools.pairwise(shown))


async def test_many_viewers_of_many_cameras_decode_pictures_at_once(film: Path, tmp_path: Path) -> None:
    other = film_of(tmp_path / "other.mp4", b_frames=0)
    async with cameras(film, other) as (_, urls), asyncio.TaskGroup() as group:
        for url in urls * 3:
            group.create_task(asyncio.to_thread(decode, url, 8))


async def test_ffprobe_reads_it_without_being_told_the_transport(film: Path) -> None:
    async with cameras(film) as (_, (url,)):
        command = [find_program("ffprobe"), "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0"]
        process = await asyncio.create_subprocess_exec(*command, url, stdout=asyncio.subprocess.PIPE)
        said, _ = await asyncio.wait_for(process.communicate(), 30)
    assert said.decode().strip() == "h264,640"


async def test_the_port_given_is_free_again_after_stop(film: Path) -> None:
    async with cameras(film) as (server, _):
        port = server.port
        with pytest.raises(ConfigurationError, match=str(port)):
            SimulatedCameras(port=port)
    SimulatedCameras(port=port)._listener.close()


async def asked(port: int, *requests: str) -> bytes:
    """What the server answers to requests sent one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    for request in requests:
        writer.write(request.encode())
        with contextlib.suppress(asyncio.IncompleteReadError):
            said += await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    return said


SETUP = "SETUP rtsp://x/camera-0/trackID=0 RTSP/1.0\r\nCSeq: 2\r\nTransport: {}\r\n\r\n"


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("DESCRIBE rtsp://x/nothing RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"404"),
        ("RECORD rtsp://x/camera-0 RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"501"),
        ("PLAY rtsp://x/camera-0 RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"455"),
        (SETUP.format("RTP/AVP;unicast;client_port=5000-5001"), b"461"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        ("nonsense\r\n\r\n", b"400"),
        ("OPTIONS rtsp://x RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n", b"400"),
        ("OPTIONS rtsp://x RTSP/1.0\r\nX: " + "y" * 20_000 + "\r\n\r\n", b"400"),
    ],
)
async def test_rude_requests_are_answered_clearly(film: Path, request_text: str, answer: bytes) -> None:
    async with cameras(film) as (server, _):
        assert (await asked(server.port, request_text)).startswith(b"RTSP/1.0 " + answer)


async def test_another_session_cannot_play(film: Path) -> None:
    async with cameras(film) as (server, _):
        play = "PLAY rtsp://x/camera-0 RTSP/1.0\r\nCSeq: 3\r\nSession: stolen\r\n\r\n"
        said = await asked(server.port, SETUP.format("RTP/AVP/TCP;unicast;interleaved=0-1"), play)
    assert b"RTSP/1.0 454" in said


async def test_a_viewer_that_does_not_read_costs_bounded_memory_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.simulated_camera.MAX_UNSENT_BYTES", 20_000)
    film = film_of(tmp_path / "film.mp4", b_frames=0)
    async with cameras(film) as (server, (url,)):
        lazy = socket.create_connection(("127.0.0.1", server.port))
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.sendall(SETUP.format("RTP/AVP/TCP;unicast;interleaved=0-1").encode())
        said = await asyncio.to_thread(lazy.recv, 1000)
        session = said.split(b"Session: ")[1].split(b";")[0].decode()
        lazy.sendall(f"PLAY rtsp://x/camera-0 RTSP/1.0\r\nCSeq: 3\r\nSession: {session}\r\n\r\n".encode())
        assert await asyncio.to_thread(decode, url, 20) == 20
        lazy.close()


async def test_viewers_that_leave_stop_the_playing(film: Path) -> None:
    async with cameras(film) as (_, (url,)):
        await asyncio.to_thread(watch, url, 3)

        def is_idle() -> bool:
            return not any(task.get_name().startswith("simulated camera") for task in asyncio.all_tasks())

        await eventually(is_idle)


@pytest.mark.parametrize("content", [b"", b"no video", b"\0" * 5000])
def test_a_file_that_is_no_h264_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"film\.mp4.*ffmpeg"):
        load_media(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.mp4"):
        load_media(tmp_path / "gone.mp4")
