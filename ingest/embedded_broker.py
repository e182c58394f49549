"""The MQTT broker of `sharpeyes up`: amqtt on a listening socket of ours, MQTT 3.1.1, nothing kept on disk.

`bind_broker` raises `ConfigurationError` when the port is taken; `serve_broker` runs as one supervised task on the
role's loop until cancelled. It asks for no login and is meant for the loopback address: a trial, a demo, one machine.
A client that sends a packet over `MAX_PACKET_BYTES` is cut off; beyond `MAX_CLIENTS` new ones are turned away.
"""

import asyncio
import contextlib
import socket
from collections.abc import Mapping

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.errors import AMQTTError, MQTTError
from amqtt.plugins.base import BaseAuthPlugin
from amqtt.session import Session

from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.log import get_logger
from runtime.os_reason import os_reason

MAX_PACKET_BYTES = 128 * 1024
"""Thirty times the longest payload a device may send; amqtt itself would take 256 MB into memory."""

MAX_CLIENTS = 500
"""Each costs a few tasks; a village has tens of boxes, a county does not run on the embedded broker."""

BACKLOG = 128
STOP_TIMEOUT_S = 1.5
LISTENER = "default"

_log = get_logger(__name__)


class OpenDoor(BaseAuthPlugin):  # type: ignore[misc] # amqtt ships no types
    """Lets everybody in, without amqtt's mark for anonymous clients: their sessions would be forgotten."""

    async def authenticate(self, *, session: Session) -> bool:
        return True


class _BoundedReader(StreamReaderAdapter):  # type: ignore[misc] # amqtt ships no types
    """Ends the stream when a packet announces more than `MAX_PACKET_BYTES`."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._is_cut_off = False

    async def read(self, n: int = -1) -> bytes:
        if n > MAX_PACKET_BYTES and not self._is_cut_off:
            self._is_cut_off = True
            _log.warning("client cut off: packet too large", size_bytes=n, limit_bytes=MAX_PACKET_BYTES)
        if self._is_cut_off:
            return b""
        data: bytes = await super().read(n)
        return data


def bind_broker(host: str, port: int) -> socket.socket:
    """A socket for the broker to listen on; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = os_reason(error) if isinstance(error, OSError) else str(error)
        other = port + 1 if 0 < port < 65535 else 11883
        raise ConfigurationError(
            say(
                zh=f"mqtt_listen_port：无法在 {host}:{port} 上监听（{reason}）。可能已有 MQTT 服务占用该端口；"
                f"请换一个，例如 SHARPEYES_MQTT_LISTEN_PORT={other}，或用 SHARPEYES_MQTT_URL 接入已有的服务",
                en=f"mqtt_listen_port: cannot listen on {host}:{port}: {reason}. Another broker may use it; choose "
                f"another, for example SHARPEYES_MQTT_LISTEN_PORT={other}, or use that broker with SHARPEYES_MQTT_URL",
            )
        ) from None
    listener.setblocking(False)
    return listener


async def serve_broker(listener: socket.socket) -> None:
    """Serve until cancelled; then end within two seconds."""
    broker = Broker({"listeners": {LISTENER: {"type": "external"}}, "plugins": {f"{__name__}.OpenDoor": {}}})
    clients: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(clients) >= MAX_CLIENTS:
            _log.warning("client turned away: too many", limit=MAX_CLIENTS)
            writer.close()
            return
        clients[writer] = asyncio.current_task()
        try:
            with contextlib.suppress(AMQTTError, MQTTError, OSError):  # that client's; the broker has logged it
                await broker.external_connected(_BoundedReader(reader), StreamWriterAdapter(writer), LISTENER)
        finally:
            clients.pop(writer, None)
            writer.close()

    await broker.start()
    server = await asyncio.start_server(connected, sock=listener)
    host, port = listener.getsockname()[:2]
    _log.info("embedded broker listens", host=host, port=port)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        await _stop(broker, clients)


async def _stop(broker: Broker, clients: Mapping[asyncio.StreamWriter, asyncio.Task[None] | None]) -> None:
    """End amqtt, then whatever connection it has left open."""
    with contextlib.suppress(TimeoutError, AMQTTError, MQTTError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await broker.shutdown()
    tasks = [task for task in clients.values() if task is not None]
    for writer in list(clients):
        writer.transport.abort()
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S / 3)
