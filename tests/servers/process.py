"""One server as a child process: started, stopped, killed and started again on the same port and data.

`start` returns once the server really answers; a server that dies or does not answer raises AssertionError with
the end of its log. The child ends with the test run, also when that is killed.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.cache import find_program
from tests.waiting import POLL_S

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
LOG_TAIL_BYTES = 8000
HOST = "127.0.0.1"


def free_port() -> int:
    """A port that is free now, below the range the system gives to outgoing connections.

    So nothing takes it while the server of the test is down and is to come back on it.
    """
    for _ in range(1000):
        port = random.randint(12_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port found between 12000 and 32000")


class ServerProcess:
    """What all servers share. Subclasses give `command`, `is_ready` and, where needed, `prepare`."""

    name = "server"

    def __init__(self) -> None:
        self.host = HOST
        self.folder = Path(tempfile.mkdtemp(prefix=f"sharpeyes-{self.name}-"))
        self.log_path = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = False

    def command(self) -> list[str]:
        """The command line that runs the server in the foreground."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the server answers its own protocol now."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make what the server needs before its first start."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def privileges(self) -> list[str]:
        """Options of setpriv(1) for a server that must not run as root."""
        return []

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    def start(self) -> Self:
        """Start, or start again on the same port and data; returns once the server answers."""
        assert not self.is_running, f"{self.name} runs already"
        if not self._prepared:
            self.prepare()
            self._prepared = True
        # A server outlives neither the tests nor a killed test run.
        supervised = [find_program("setpriv"), *self.privileges(), "--pdeathsig", "KILL", "--", *self.command()]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                supervised,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self.environment(),
                start_new_session=True,
            )
        self._await_ready()
        return self

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            if self._process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self._process.returncode} at start:\n{self.log_tail()}")
            if time.monotonic() > deadline_s:
                self.kill()
                raise AssertionError(f"{self.name} did not answer within {START_TIMEOUT_S} s:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop in order, as an administrator does; data and port stay for the next `start`."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End at once, as a power cut does."""
        self._end(self.kill_signal)

    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def freeze(self) -> None:
        """Stop answering without closing anything, as a hanging server does; `thaw` goes on."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _end(self, by: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        os.kill(self._process.pid, signal.SIGCONT)
        os.kill(self._process.pid, by)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_TIMEOUT_S)
        if self._process.stdin:
            self._process.stdin.close()

    def close(self) -> None:
        """Stop and remove the server's folder: the end of the fixture."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self) -> str:
        """The end of what the server has said."""
        if not self.log_path.exists():
            return "(no log)"
        return self.log_path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
