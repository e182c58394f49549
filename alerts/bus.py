"""The bus port: topics of keyed messages, consumer groups with committed offsets. At least once.

`alerts.embedded_bus` implements it on SQLite in the data folder, `alerts.kafka_bus` on Apache Kafka; one contract
suite runs on both. All calls run on the asyncio loop and raise `UnavailableError` when the bus is away; the next call
tries again. `start` alone never fails for that, so a role starts without its broker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from runtime.errors import InvalidInputError

MAX_VALUE_BYTES = 900_000
"""Kafka's brokers take 1,048,576 bytes a message unless told otherwise; headers and framing need room too."""

COMPACTED_TOPICS = frozenset({"sharpeyes.device-state"})
"""Of these the newest message of a key is all that matters; one with an empty value says that the key is gone."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: order is kept among messages of one key. An empty value on a compacted topic removes the key."""

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


def check_size(message: Message) -> None:
    """Raise InvalidInputError when the value is too large for the bus."""
    if len(message.value) > MAX_VALUE_BYTES:
        raise InvalidInputError(
            f"{message.topic}: a message of {len(message.value)} bytes does not fit on the bus "
            f"(at most {MAX_VALUE_BYTES}); shorten its texts"
        )


class Subscription(Protocol):
    """One member of a consumer group on one topic."""

    async def __aenter__(self) -> "Subscription": ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def receive(self, max_messages: int = 500) -> Sequence[Received]:
        """Wait for at least one message; in order within a partition. May be cancelled without losing any."""

    async def commit(self) -> None:
        """Say that all that `receive` has returned so far is dealt with: a restart goes on after it."""


class Bus(Protocol):
    async def start(self) -> None:
        """Connect and make sure the topics exist, or leave both to the first call that finds the bus there."""

    async def stop(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return once all of them are durable on the bus; on UnavailableError any part of them may be.

        Raises InvalidInputError, before anything is sent, for a value over MAX_VALUE_BYTES.
        """

    def subscribe(self, topic: str, group: str, *, from_latest: bool = False) -> Subscription:
        """A group that has never committed starts at the oldest message, or at the newest when `from_latest`."""
