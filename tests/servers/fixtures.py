"""The pytest fixtures of the real servers.

`kafka`, `minio`, `mosquitto`, `postgres`, `rtsp_server`, `hostile_rtsp`: one for the whole run, started when the first
test asks; tests share them, so they use names of their own (topics, buckets, device ids, databases) and leave them up.
`own_kafka`, `own_minio`, `own_mosquitto`, `own_postgres`, `own_rtsp_server`: factories for tests that stop, kill or
freeze one: `broker = own_mosquitto()`; `own_mosquitto(start=False)` gives its address before it is up.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import pytest

from tests.servers.hostile_rtsp import HostileRtsp
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.postgres import Postgres
from tests.servers.process import ServerProcess
from tests.servers.rtsp import RtspServer

S_co = TypeVar("S_co", bound=ServerProcess, covariant=True)


class Factory(Protocol[S_co]):
    """Makes servers that end with the test; keyword arguments go to the server's class."""

    def __call__(self, *, start: bool = True, **options: Any) -> S_co: ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    with Kafka() as server:
        yield server


@pytest.fixture(scope="session")
def minio() -> Iterator[MinioServer]:
    with MinioServer() as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    with Mosquitto() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def rtsp_server() -> Iterator[RtspServer]:
    with RtspServer() as server:
        yield server


@pytest.fixture(scope="session")
def hostile_rtsp() -> Iterator[HostileRtsp]:
    with HostileRtsp() as server:
        yield server


def _factory(kind: type[S_co]) -> Iterator[Factory[S_co]]:
    with contextlib.ExitStack() as made:

        def make(*, start: bool = True, **options: Any) -> S_co:
            server = kind(**options)
            made.callback(server.close)
            return server.start() if start else server

        yield make


@pytest.fixture
def own_kafka() -> Iterator[Factory[Kafka]]:
    yield from _factory(Kafka)


@pytest.fixture
def own_minio() -> Iterator[Factory[MinioServer]]:
    yield from _factory(MinioServer)


@pytest.fixture
def own_mosquitto() -> Iterator[Factory[Mosquitto]]:
    yield from _factory(Mosquitto)


@pytest.fixture
def own_postgres() -> Iterator[Factory[Postgres]]:
    yield from _factory(Postgres)


@pytest.fixture
def own_rtsp_server() -> Iterator[Factory[RtspServer]]:
    yield from _factory(RtspServer)
