"""The settings of every role: the groups of all packages, flat, in one model."""

from pathlib import Path

from pydantic import ConfigDict, Field

from alerts.settings import BusSettings, CallSettings
from devices.settings import RegistrySettings
from ingest.settings import CameraSettings, MqttSettings, ObjectStoreSettings, Port
from models.settings import ModelSettings
from runtime.log import LogFormat


class Settings(
    ModelSettings, CameraSettings, ObjectStoreSettings, MqttSettings, CallSettings, BusSettings, RegistrySettings
):
    """Flat on purpose: a field's name is its name in the file, in upper case behind SHARPEYES_ in the environment."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    data: Path = Field(Path("data"), description="Folder that keeps all state of this machine")
    instance: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Name of this process among its peers; unset: the role's name and the host's",
        examples=["worker-1"],
    )
    http_host: str = Field("127.0.0.1", description="Address of /healthz, /readyz and /metrics")
    http_port: Port = Field(8600, description="Port of /healthz, /readyz and /metrics")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")
    log_format: LogFormat = Field("auto", description="text, json or auto (text on a terminal)")
