"""`sharpeyes up`: worker and bridge in one process, on embedded parts unless the settings name servers.

The embedded MQTT broker runs unless `mqtt_url` is set; the bus, the object store and the database are chosen by their
settings as in every role.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager

from alerts.open_bus import open_bus
from console import bridge, worker
from console.alert_keeping import add_alert_keeping
from console.bridge import BridgeParts, add_bridge
from console.demo import CALLBOX_ID, demo_cameras, register_demo
from console.registry_context import registry_of
from console.role import RoleContext, announce, run_role
from console.settings import Settings
from console.worker import WorkerParts, add_worker
from ingest.embedded_broker import bind_broker, serve_broker
from ingest.mqtt_target import MqttTarget, target_from_settings
from runtime.language import say


def run_up(settings: Settings, *, demo: bool) -> None:
    """Run everything until told to stop."""
    with _broker_socket(settings) as listener:

        @asynccontextmanager
        async def compose(context: RoleContext) -> AsyncIterator[None]:
            async with _everything(context, listener, demo=demo):
                yield

        run_role("up", settings, [worker.PART, bridge.PART], compose)


@contextmanager
def _broker_socket(settings: Settings) -> Iterator[socket.socket | None]:
    """Bound before anything starts, so that a taken port stops the start at once; None with a broker of one's own."""
    if settings.mqtt_url is not None:
        yield None
        return
    with closing(bind_broker(settings.mqtt_listen_host, settings.mqtt_listen_port)) as listener:
        yield listener


@asynccontextmanager
async def _everything(context: RoleContext, listener: socket.socket | None, *, demo: bool) -> AsyncIterator[None]:
    settings = context.settings

    async with AsyncExitStack() as stack:
        if listener is not None:
            context.service.spawn("broker", lambda: serve_broker(listener))
        if demo:
            urls = await stack.enter_async_context(demo_cameras(settings.data))
            await asyncio.to_thread(_register, settings, urls)
        bus = open_bus(settings, settings.data, context.clock)
        await bus.start()
        stack.push_async_callback(bus.stop)
        await stack.enter_async_context(add_alert_keeping(context, bus))
        broker = target_from_settings(settings) if listener is None else _at(listener)
        parts = BridgeParts(open_registry=lambda: registry_of(settings), bus=bus, broker=broker)
        await stack.enter_async_context(add_bridge(context, parts))
        await stack.enter_async_context(
            add_worker(context, WorkerParts(open_registry=lambda: registry_of(settings), bus=bus))
        )
        announce(_where_to_look(settings, demo=demo))
        yield


def _at(listener: socket.socket) -> MqttTarget:
    host, port = listener.getsockname()[:2]
    return MqttTarget(host="127.0.0.1" if host in {"0.0.0.0", ""} else host, port=port)


def _register(settings: Settings, urls: Mapping[str, str]) -> None:
    with closing(registry_of(settings)) as registry:
        register_demo(registry, urls)


def _where_to_look(settings: Settings, *, demo: bool) -> list[str]:
    command = "sharpeyes" if str(settings.data) == "data" else f"sharpeyes --data {settings.data}"
    rows = [
        (f"{command} alerts watch", say(zh="实时查看告警", en="alerts as they come")),
        (f"{command} camera list", say(zh="已登记的摄像头", en="the registered cameras")),
    ]
    if demo:
        rows.append((f"{command} simulate callbox {CALLBOX_ID}", say(zh="按呼叫盒的四个键", en="a call box's keys")))
    status = f"http://{settings.http_host}:{settings.http_port}/readyz"
    rows.append((status, say(zh="各部分是否正常", en="how its parts are")))
    width = max(len(where) for where, _ in rows)
    heading = say(
        zh="[bold]慧眼已启动[/bold]，按 Ctrl-C 停止。请另开一个终端：",
        en="[bold]Sharp Eyes is up[/bold]; Ctrl-C stops it. In another terminal:",
    )
    return [heading, *(f"  {where:<{width}}  {what}" for where, what in rows)]
