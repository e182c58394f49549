"""`sharpeyes simulate callbox` as a person or a script runs it, on the embedded broker and the embedded bus."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alerts.open_bus import open_bus
from console.bridge import BridgeParts, add_bridge
from console.registry_context import registry_of
from console.role import RoleContext
from console.settings import Settings
from devices.model import CallBox, Site, SiteLevel
from ingest.embedded_broker import bind_broker, serve_broker
from ingest.mqtt_target import target_from_settings
from runtime.clock import SystemClock
from runtime.health import Health
from runtime.service import Service
from tests.waiting import eventually


@asynccontextmanager
async def embedded_bridge(data: Path) -> AsyncIterator[Settings]:
    """Broker, bus and bridge as `sharpeyes up` has them, with box-1 registered."""
    listener = bind_broker("127.0.0.1", 0)
    settings = Settings(data=data, mqtt_listen_port=listener.getsockname()[1], instance="test")
    registry = registry_of(settings)
    registry.put_all(
        [
            Site(site_id="village", name="东村", level=SiteLevel.VILLAGE),
            CallBox(callbox_id="box-1", name="王奶奶家", site_id="village"),
        ]
    )
    registry.close()
    service, health, clock = Service("up"), Health(), SystemClock()
    context = RoleContext(role="up", settings=settings, service=service, health=health, clock=clock)
    bus = open_bus(settings, data, clock)
    await bus.start()
    service.spawn("broker", lambda: serve_broker(listener))
    parts = BridgeParts(open_registry=lambda: registry_of(settings), bus=bus, broker=target_from_settings(settings))
    async with add_bridge(context, parts):
        running = asyncio.create_task(service.run())
        await eventually(health.is_ready)
        try:
            yield settings
        finally:
            service.stop()
            await running
    await bus.stop()


async def simulate(settings: Settings, *arguments: str, language: str = "en") -> tuple[int, str]:
    """Exit status and everything that was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHARPEYES_")}
    environment |= {
        "SHARPEYES_LANGUAGE": language,
        "SHARPEYES_MQTT_LISTEN_PORT": str(settings.mqtt_listen_port),
        "SHARPEYES_DATA": str(settings.data),
        "PYTHONIOENCODING": "utf-8",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", "from console.cli import main; main()", "simulate", "callbox", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_a_script_presses_and_waits_and_sees_what_the_box_hears(tmp_path: Path) -> None:
    async with embedded_bridge(tmp_path) as settings:
        status, printed = await simulate(settings, "box-1", "--press", "call", "--wait", "ringing")
        assert status == 0, printed
        assert "ack #1" in printed
        assert "ringing" in printed
        status, printed = await simulate(settings, "box-1", "--press", "hangup", "--wait", "closed", language="zh")
        assert status == 0, printed
        assert "ack #2" in printed
        assert "本次求助已结束" in printed


async def test_a_box_that_is_not_registered_hears_nothing_and_the_script_says_so(tmp_path: Path) -> None:
    async with embedded_bridge(tmp_path) as settings:
        status, printed = await simulate(settings, "stranger", "--press", "call", "--wait", "ringing", "--timeout", "2")
    assert status == 2
    assert "stranger registered" in printed
