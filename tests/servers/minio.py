"""MinIO, built by `make servers` from its public Go module."""

import os
import urllib.error
import urllib.request

from tests.servers.cache import minio_binary, require
from tests.servers.process import HOST, ServerProcess, free_port


class MinioServer(ServerProcess):
    """`endpoint` is HOST:PORT; plain HTTP; `access_key` and `secret_key` are root's."""

    name = "minio"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._console_port = free_port()
        self.endpoint = f"{HOST}:{self.port}"
        self.access_key = "test-access"
        self.secret_key = "test-secret-key"

    def prepare(self) -> None:
        (self.folder / "objects").mkdir()

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_UPDATE": "off",
        }

    def command(self) -> list[str]:
        binary = require(minio_binary(), "MinIO")
        console = f"{HOST}:{self._console_port}"
        return [
            str(binary), "server", "--quiet", "--address", self.endpoint, "--console-address", console,
            str(self.folder / "objects"),
        ]  # fmt: skip

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.endpoint}/minio/health/cluster", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
