"""The end of a role in time: what still hangs some seconds after the stop began is left behind.

A thread inside a call to a server that never answers cannot be interrupted, and Python waits for it without end. So a
timer thread ends the process then, as a kill would: nothing is lost, all state here is made for that at any instant.
"""

import os
import threading

from runtime.log import get_logger

LEAVE_AFTER_S = 4.5
"""Under the five seconds a person waits after Ctrl-C."""

_log = get_logger(__name__)


class Leaving:
    """`begin` when the stop begins, `done` when all has ended; both may be called more than once."""

    def __init__(self, limit_s: float = LEAVE_AFTER_S) -> None:
        self._limit_s = limit_s
        self._timer: threading.Timer | None = None

    def begin(self, exit_code: int) -> None:
        """From now on the process has `limit_s` to end by itself; the first call's exit code counts."""
        if self._timer is None:
            self._timer = threading.Timer(self._limit_s, _leave, (exit_code,))
            self._timer.daemon = True
            self._timer.start()

    def done(self) -> None:
        """Everything has ended by itself."""
        if self._timer is not None:
            self._timer.cancel()


def _leave(exit_code: int) -> None:
    hanging = [thread.name for thread in threading.enumerate() if not isinstance(thread, threading.Timer)]
    _log.warning("ended without waiting for what hangs", threads=hanging)
    os._exit(exit_code)
