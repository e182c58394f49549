"""Our own roles as child processes, for tests and benches that need the real command: started, stopped, killed."""

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from devices.model import CallBox, Camera, Sensor, Site, SiteLevel
from devices.secrets import open_secret_box
from devices.sql_registry import open_registry
from tests.servers.kafka import Kafka
from tests.servers.minio import MinioServer
from tests.servers.mosquitto import Mosquitto
from tests.servers.process import HOST, ServerProcess, free_port

SITES = (
    Site(site_id="county", name="某县", level=SiteLevel.COUNTY),
    Site(site_id="village", name="东村", level=SiteLevel.VILLAGE, parent_id="county"),
)


class RoleProcess(ServerProcess):
    """`sharpeyes ROLE` on a data folder; `settings` are names without prefix: {"kafka_bootstrap": "..."}."""

    def __init__(self, role: str, data: Path, settings: Mapping[str, object], *options: str) -> None:
        self.name = role
        super().__init__()
        self.http_port = free_port()
        self._data = data
        self._settings = dict(settings)
        self._options = options
        self.must_be_ready = True
        """False: `start` returns once the role answers at all; what it waits for may be away."""

    def command(self) -> list[str]:
        program = Path(sys.executable).with_name("sharpeyes")
        return [str(program), "--data", str(self._data), self.name, *self._options]

    def environment(self) -> dict[str, str]:
        given = {f"SHARPEYES_{name.upper()}": str(value) for name, value in self._settings.items()}
        ours = {"SHARPEYES_HTTP_PORT": str(self.http_port), "SHARPEYES_LOG_FORMAT": "json"}
        return {**os.environ, **ours, **given}

    def is_ready(self) -> bool:
        return self.ready_parts() is not None if self.must_be_ready else bool(self.parts())

    def ready_parts(self) -> dict[str, object] | None:
        """The parts of /readyz; None unless the role says that it is ready."""
        ready, parts = self._asked()
        return dict(parts) if ready else None

    def parts(self) -> dict[str, Any]:
        """The parts of /readyz, whether the role is ready or not; empty when it does not answer."""
        return self._asked()[1]

    def reason(self, part: str) -> str:
        """Why a part is not well; empty when it is, or is not known yet."""
        return str(self.parts().get(part, {}).get("reason", ""))

    def _asked(self) -> tuple[bool, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/readyz", timeout=5) as answer:
                return True, json.loads(answer.read())["parts"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                return False, json.loads(refusal.read())["parts"]
        except (urllib.error.URLError, OSError):
            return False, {}

    def interrupt(self, timeout_s: float) -> int:
        """Press Ctrl-C; the exit code, which must come within that time."""
        assert self._process is not None
        os.kill(self.pid, signal.SIGINT)
        code = self._process.wait(timeout_s)
        if self._process.stdin:
            self._process.stdin.close()
        return code

    def log_events(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log, over all lives of the role, that say `event`."""
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        return [found for line in lines if line.startswith("{") and (found := json.loads(line))["event"] == event]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"the end of {self.name}'s log:\n{self.log_tail()}")
        super().__exit__(kind, error, trace)

    def metrics(self) -> str:
        """What /metrics says."""
        with urllib.request.urlopen(f"http://{HOST}:{self.http_port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
            return text


def register(data: Path, url: str | None, *devices: Camera | CallBox | Sensor) -> None:
    """Put devices, and SITES for them, into the registry at `url`, or in the data folder when that is None."""
    data.mkdir(parents=True, exist_ok=True)
    registry = open_registry(url, data, open_secret_box(None, data))
    registry.put_all([*SITES, *devices])
    registry.close()


def on_kafka(kafka: Kafka) -> dict[str, object]:
    return {"kafka_bootstrap": kafka.bootstrap}


def on_minio(minio: MinioServer, bucket: str) -> dict[str, object]:
    return {
        "s3_endpoint": minio.endpoint,
        "s3_access_key": minio.access_key,
        "s3_secret_key": minio.secret_key,
        "s3_bucket": bucket,
    }


def on_mosquitto(mosquitto: Mosquitto) -> dict[str, object]:
    return {"mqtt_url": mosquitto.url}
