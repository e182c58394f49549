"""/healthz, /readyz and /metrics of a role, served by uvicorn as one supervised task on the role's loop.

/healthz answers while the process runs; /readyz is 503 until every required part is well, and names each part.
Raises ConfigurationError when the port is taken.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime.errors import ConfigurationError
from runtime.health import Health
from runtime.language import say
from runtime.os_reason import os_reason

BACKLOG = 64
SHUTDOWN_S = 1


def status_app(role: str, health: Health) -> FastAPI:
    """The three pages of one role."""
    app = FastAPI(title=f"Sharp Eyes {role}", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"role": role, "status": "running"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        ready = health.is_ready()
        parts = {
            name: {"well": part.well, "required": part.required, "reason": part.reason}
            for name, part in sorted(health.parts().items())
        }
        return JSONResponse({"role": role, "ready": ready, "parts": parts}, status_code=200 if ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else starts, so that a taken port stops the start at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    listener.setblocking(False)
    return listener


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> ConfigurationError:
    reason = os_reason(error) if isinstance(error, OSError) else str(error)
    if isinstance(error, OSError) and error.errno in {errno.EADDRINUSE, errno.EACCES}:
        other = port + 1 if 1024 <= port < 65535 else 8601
        return ConfigurationError(
            say(
                zh=f"http_port：无法在 {host}:{port} 上监听（{reason}）。该端口可能已被占用或不允许使用；"
                f"请换一个，例如 SHARPEYES_HTTP_PORT={other}",
                en=f"http_port: cannot listen on {host}:{port}: {reason}. Another process may use the port, or this "
                f"user may not; choose another, for example SHARPEYES_HTTP_PORT={other}",
            )
        )
    return ConfigurationError(
        say(
            zh=f"http_host：无法在 {host!r} 上监听（{reason}）。请填写本机的一个地址，"
            "例如 SHARPEYES_HTTP_HOST=127.0.0.1",
            en=f"http_host: cannot listen on {host!r}: {reason}. Give an address of this machine, for example "
            "SHARPEYES_HTTP_HOST=127.0.0.1",
        )
    )


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the role decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_status(role: str, health: Health, listener: socket.socket) -> None:
    """Serve until cancelled."""
    config = uvicorn.Config(
        status_app(role, health),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=2 * SHUTDOWN_S)
        raise
