"""Waiting for a condition with a deadline, in place of fixed sleeps.

Both forms poll shortly, return the first truthy answer, and raise AssertionError that says what was awaited.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


def wait_until(predicate: Callable[[], T], timeout_s: float = 10, what: str = "") -> T:
    """Block until `predicate()` is truthy and return its answer."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(_message(predicate, answer, timeout_s, what))
        time.sleep(POLL_S)


async def eventually(predicate: Callable[[], T | Awaitable[T]], timeout_s: float = 10, what: str = "") -> T:
    """Wait, without blocking the loop, until `predicate()` (plain or async) is truthy and return its answer."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        asked = predicate()
        answer = (await asked) if inspect.isawaitable(asked) else asked
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(_message(predicate, answer, timeout_s, what))
        await asyncio.sleep(POLL_S)


def _message(predicate: Callable[[], object], answer: object, timeout_s: float, what: str) -> str:
    awaited = what or getattr(predicate, "__qualname__", repr(predicate))
    return f"waited {timeout_s:g} s in vain for: {awaited} (last answer: {answer!r})"
