"""A bus in memory and other small stands-in for unit tests."""

import asyncio
from collections.abc import Sequence

from alerts.bus import Message, Received, Subscription
from runtime.errors import InvalidInputError, UnavailableError


class MemoryBus:
    """A bus that a test can take away (`is_away`) and look into (`sent`)."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.is_away = False
        self.refused = 0
        self.poison = b""
        self.committed = 0
        self._arrived = asyncio.Event()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.is_away:
            self.refused += 1
            raise UnavailableError("bus away")
        if self.poison and any(message.value == self.poison for message in messages if message.topic == "t"):
            raise InvalidInputError("too large for this broker")
        self.sent += messages
        self._arrived.set()

    def subscribe(self, topic: str, group: str, *, from_latest: bool = False) -> "MemorySubscription":
        return MemorySubscription(self, topic)

    def of(self, topic: str) -> list[Message]:
        return [message for message in self.sent if message.topic == topic]

    async def arrival(self) -> None:
        await self._arrived.wait()
        self._arrived.clear()


class MemorySubscription:
    def __init__(self, bus: MemoryBus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self._position = 0

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def receive(self, max_messages: int = 500) -> Sequence[Received]:
        while True:
            messages = self._bus.of(self._topic)[self._position :]
            if messages:
                first, self._position = self._position, self._position + len(messages)
                return [Received(message, 0, first + n) for n, message in enumerate(messages)]
            await self._bus.arrival()

    async def commit(self) -> None:
        self._bus.committed = self._position
