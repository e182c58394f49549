"""How every role starts and stops: data folder checked and locked, status port bound, tasks supervised, signals heard.

`run_role` blocks until SIGINT or SIGTERM, or raises what ended the role. What must not start twice on one data
folder (a ledger has one writer) is guarded by a lock file per part.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from console.settings import Settings
from console.status_server import bind, serve_status
from runtime.clock import Clock, SystemClock
from runtime.errors import ConfigurationError
from runtime.health import Health
from runtime.language import say
from runtime.log import get_logger
from runtime.service import Service

MAX_INSTANCE_CHARS = 64

STARTING = "start"
"""The health part that keeps a role from being ready before its parts have said how they are."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleContext:
    """What the parts of a role share."""

    role: str
    settings: Settings
    service: Service
    health: Health
    clock: Clock

    def instance(self, part: str) -> str:
        """The name under which `part` ("worker", "bridge") owns alerts and joins consumer groups; stable."""
        if self.settings.instance:
            return f"{self.settings.instance}-{part}" if self.role == "up" else self.settings.instance
        host = "".join(char if char.isalnum() or char == "-" else "-" for char in socket.gethostname())
        return f"{part}-{host}"[:MAX_INSTANCE_CHARS]


Composition = Callable[[RoleContext], AbstractAsyncContextManager[None]]
"""Starts the parts of a role as tasks of its service on entry and closes them on exit."""


def run_role(role: str, settings: Settings, parts: Sequence[str], compose: Composition) -> None:
    """Run a role until it is told to stop; `parts` name the lock files it takes in the data folder."""
    with ExitStack() as held:
        prepare_data_folder(settings.data)
        for part in parts:
            held.enter_context(lock_part(settings.data, part))
        listener = held.enter_context(contextlib.closing(bind(settings.http_host, settings.http_port)))
        asyncio.run(_serve(role, settings, listener, compose))


async def _serve(role: str, settings: Settings, listener: socket.socket, compose: Composition) -> None:
    service = Service(role)
    context = RoleContext(role=role, settings=settings, service=service, health=Health(), clock=SystemClock())
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, service.stop)
    service.spawn("status", lambda: serve_status(role, context.health, listener))
    host, port = listener.getsockname()[:2]
    _log.info("starting", role=role, data=str(settings.data), status=f"http://{host}:{port}/readyz")
    context.health.unwell(STARTING, "its parts are being started", required=True)
    async with compose(context):
        context.health.drop(STARTING)
        await service.run()
    _log.info("stopped", role=role)


def prepare_data_folder(data: Path) -> None:
    """Make the folder if needed and prove that it can be written; ConfigurationError otherwise."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        proof = data / f".writable-{os.getpid()}"
        proof.write_bytes(b"")
        proof.unlink()
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"data：目录 {data} 无法写入：{error.strerror}。请用 --data 指定一个可写的目录",
                en=f"data: the folder {data} cannot be written: {error.strerror}. Choose a writable one with --data",
            )
        ) from None


@contextmanager
def lock_part(data: Path, part: str) -> Iterator[None]:
    """Hold `<data>/<part>.lock`; ConfigurationError when another process holds it."""
    with (data / f"{part}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                say(
                    zh=f"目录 {data} 上已有一个 {part} 在运行。请先停止它，或用 --data 指定另一个目录",
                    en=f"a {part} already runs on the folder {data}. Stop it, or choose another one with --data",
                )
            ) from None
        yield


@contextlib.asynccontextmanager
async def nested(context: RoleContext, *compositions: Composition) -> AsyncIterator[None]:
    """Several compositions as one, closed in reverse order."""
    async with contextlib.AsyncExitStack() as stack:
        for compose in compositions:
            await stack.enter_async_context(compose(context))
        yield


def announce(lines: Sequence[str]) -> None:
    """Tell the person at the terminal where to look."""
    console = Console(stderr=True)
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
