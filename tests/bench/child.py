"""A script of this folder as a child process: ready when it has printed "ready", ended with the bench."""

import sys
from pathlib import Path

from tests.servers.process import ServerProcess

FOLDER = Path(__file__).parent


class Child(ServerProcess):
    """`Child("bare_inference", *arguments)`."""

    def __init__(self, script: str, *arguments: object) -> None:
        self.name = script
        super().__init__()
        self._command = [sys.executable, str(FOLDER / f"{script}.py"), *map(str, arguments)]

    def command(self) -> list[str]:
        return self._command

    def is_ready(self) -> bool:
        return self.log_path.exists() and "ready" in self.log_tail()
