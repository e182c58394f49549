"""`sharpeyes simulate camera FILE...`: RTSP cameras that play video files in endless loops, until Ctrl-C.

Runs an asyncio loop of its own. Raises ConfigurationError for a file that is not H.264 and for a port that is taken.
"""

import asyncio
import re
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from devices.validation import check_id
from ingest.simulated_camera import SimulatedCameras
from runtime.errors import ConfigurationError
from runtime.language import say

DEFAULT_PORT = 8554
MAX_FILES = 64
"""Each file is held in memory."""

_screen = Console(highlight=False, soft_wrap=True)

HELP = say(
    zh="把 H.264 视频文件当作摄像头循环播放（RTSP，仅 TCP），按 Ctrl-C 结束。\n\n"
    "例：sharpeyes simulate camera street.mp4",
    en="Play H.264 video files as RTSP cameras (TCP only) in endless loops, until Ctrl-C.\n\n"
    "Example: sharpeyes simulate camera street.mp4",
)

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help=say(zh="H.264 的 MP4 或 MKV 文件", en="MP4 or MKV files with H.264")),
]
Host = Annotated[str, typer.Option(help=say(zh="监听地址", en="Address to listen on"))]
PortNumber = Annotated[
    int, typer.Option(min=0, max=65535, help=say(zh="监听端口；0 表示任选", en="Port to listen on; 0: any"))
]


def camera(files: Files, host: Host = "127.0.0.1", port: PortNumber = DEFAULT_PORT) -> None:
    """Registered as `sharpeyes simulate camera`."""
    if len(files) > MAX_FILES:
        raise ConfigurationError(say(zh=f"最多 {MAX_FILES} 个文件", en=f"{MAX_FILES} files at most"))
    asyncio.run(_play(files, host, port))


async def _play(files: list[Path], host: str, port: int) -> None:
    cameras = SimulatedCameras(host, port)
    try:
        urls = [cameras.add(name, path) for name, path in camera_names(files).items()]
        await cameras.start()
        for url in urls:
            _screen.print(say(zh=f"摄像头已就绪：{url}", en=f"camera ready: {url}"))
        _screen.print(say(zh=f"试一试：sharpeyes probe {urls[0]}", en=f"try it: sharpeyes probe {urls[0]}"))
        await _interrupted()
    finally:
        await cameras.stop()


def camera_names(files: list[Path]) -> dict[str, Path]:
    """A name in the URL for each file: its own, without what cannot stand in an id; numbered where two are alike."""
    named: dict[str, Path] = {}
    for path in files:
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-_")[:56] or "camera"
        name, number = base, 2
        while name in named:
            name, number = f"{base}-{number}", number + 1
        check_id(name, "FILE")
        named[name] = path
    return named


async def _interrupted() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stopped.set)
    await stopped.wait()
