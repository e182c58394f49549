"""Roles start only where they can work, and stop when told."""

import asyncio
import contextlib
import json
import socket
import stat
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.data_folder import lock_part, prepare_data_folder
from console.role import RoleContext, run_role
from console.settings import Settings
from console.status_server import bind, status_app
from runtime.errors import ConfigurationError
from runtime.health import Health


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_data_path_that_is_a_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(ConfigurationError, match="--data"):
        prepare_data_folder(tmp_path / "data")


def test_a_data_folder_that_is_made_is_its_owners_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    prepare_data_folder(tmp_path / "made")
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o750)
    prepare_data_folder(tmp_path / "there")
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o750


def test_the_same_part_does_not_start_twice_on_one_folder(tmp_path: Path) -> None:
    with (
        lock_part(tmp_path, "worker"),
        pytest.raises(ConfigurationError, match="worker"),
        lock_part(tmp_path, "worker"),
    ):
        pass
    with lock_part(tmp_path, "worker"):
        pass


def test_a_taken_port_is_named_with_the_setting(tmp_path: Path) -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"http_port.*:{port}.*SHARPEYES_HTTP_PORT"):
            bind("127.0.0.1", port)


def test_a_role_says_whether_it_is_ready_and_stops_when_told(tmp_path: Path) -> None:
    port = free_port()
    answers: list[tuple[int, bytes]] = []

    def fetch(path: str) -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                answers.append((answer.status, answer.read()))
        except urllib.error.HTTPError as error:
            answers.append((error.code, error.read()))

    async def look(context: RoleContext) -> None:
        await asyncio.to_thread(fetch, "/healthz")
        context.health.unwell("bus", "Kafka is away", required=True)
        await asyncio.to_thread(fetch, "/readyz")
        context.health.well("bus", required=True)
        await asyncio.to_thread(fetch, "/readyz")
        await asyncio.to_thread(fetch, "/metrics")
        context.service.stop()

    @contextlib.asynccontextmanager
    async def compose(context: RoleContext) -> AsyncIterator[None]:
        context.service.spawn("look", lambda: look(context))
        yield

    run_role("worker", Settings(data=tmp_path, http_port=port), ["worker"], compose)
    assert [status for status, _ in answers] == [200, 503, 200, 200]
    assert json.loads(answers[1][1])["parts"]["bus"]["reason"] == "Kafka is away"
    assert b"process_max_fds" in answers[3][1]


def test_status_pages_offer_no_schema_browser() -> None:
    paths = {getattr(route, "path", "") for route in status_app("worker", Health()).routes}
    assert paths == {"/healthz", "/readyz", "/metrics"}
