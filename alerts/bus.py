"""The bus port: topics of keyed messages, consumer groups with committed offsets. At least once.

`alerts.embedded_bus` implements it on SQLite in the data folder, `alerts.kafka_bus` on Apache Kafka; one contract
suite runs on both. All calls run on the asyncio loop and raise `UnavailableError` when the bus is away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: order is kept among messages of one key."""

    topic: str
    key: str
    value: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came, with where it stood."""

    message: Message
    partition: int
    offset: int


class Subscription(Protocol):
    """One member of a consumer group on one topic."""

    async def __aenter__(self) -> "Subscription": ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def receive(self, max_messages: int = 500) -> Sequence[Received]:
        """Wait for at least one message; in order within a partition."""

    async def commit(self) -> None:
        """Say that all that `receive` has returned so far is dealt with: a restart goes on after it."""


class Bus(Protocol):
    async def start(self) -> None:
        """Connect and make sure the topics exist."""

    async def stop(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return once all of them are durable on the bus; on UnavailableError any part of them may be."""

    def subscribe(self, topic: str, group: str, *, from_latest: bool = False) -> Subscription:
        """A new group starts at the oldest message, or at the newest when `from_latest`."""
