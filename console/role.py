"""How every role starts and stops: data folder checked and locked, status port bound, tasks supervised, signals heard.

`run_role` blocks until SIGINT or SIGTERM, or raises what ended the role; it ends in time even while a server hangs.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass

from rich.console import Console

from console.data_folder import lock_part, prepare_data_folder
from console.leaving import Leaving
from console.settings import Settings
from console.start_check import check_settings
from console.status_server import bind, serve_status
from runtime.clock import Clock, SystemClock
from runtime.health import Health
from runtime.language import say
from runtime.log import get_logger
from runtime.service import Service

MAX_INSTANCE_CHARS = 64
EXIT_FAILED = 2

BLOCKING_CALLS = 32
"""Threads for calls that block. Python's own choice, four more than cores, could all hang in one database."""

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
        check_settings(settings)
        listener = held.enter_context(contextlib.closing(bind(settings.http_host, settings.http_port)))
        leaving = Leaving()
        held.callback(leaving.done)
        asyncio.run(_serve(role, settings, listener, compose, leaving))


async def _serve(
    role: str, settings: Settings, listener: socket.socket, compose: Composition, leaving: Leaving
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(BLOCKING_CALLS, thread_name_prefix="blocking"))
    service = Service(role)
    context = RoleContext(role=role, settings=settings, service=service, health=Health(), clock=SystemClock())
    service.spawn("status", lambda: serve_status(role, context.health, listener))
    host, port = listener.getsockname()[:2]
    _log.info("starting", role=role, data=str(settings.data), status=f"http://{host}:{port}/readyz")
    context.health.unwell(STARTING, say(zh="各部分正在启动", en="its parts are being started"), required=True)
    running = asyncio.create_task(_run_parts(context, compose), name=f"{role}/parts")
    _stop_by_signals(context, running, leaving)
    try:
        await running
    except asyncio.CancelledError:
        if not service.is_stopping:
            raise
    finally:
        leaving.begin(EXIT_FAILED)
    _log.info("stopped", role=role)


async def _run_parts(context: RoleContext, compose: Composition) -> None:
    async with compose(context):
        context.health.drop(STARTING)
        await context.service.run()


def _stop_by_signals(context: RoleContext, running: "asyncio.Task[None]", leaving: Leaving) -> None:
    """Parts that are still being started, which may wait for a server, are stopped in the middle of it."""

    def stop() -> None:
        leaving.begin(0)
        context.service.stop()
        if STARTING in context.health.parts():
            running.cancel()

    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop)


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
