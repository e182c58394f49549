"""The settings of every role: the groups of all packages, flat, in one model."""

from pathlib import Path

from pydantic import ConfigDict, Field

from alerts.settings import BusSettings, CallSettings
from devices.settings import RegistrySettings
from ingest.settings import CameraSettings, MqttSettings, ObjectStoreSettings, Port
from models.settings import ModelSettings
from runtime.language import say
from runtime.log import LogFormat


class Settings(
    ModelSettings, CameraSettings, ObjectStoreSettings, MqttSettings, CallSettings, BusSettings, RegistrySettings
):
    """Flat on purpose: a field's name is its name in the file, in upper case behind SHARPEYES_ in the environment."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    data: Path = Field(
        Path("data"), description=say(zh="保存本机全部状态的目录", en="Folder that keeps all state of this machine")
    )
    instance: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description=say(
            zh="本进程在同类进程中的名称；不设置则由角色名和主机名组成",
            en="Name of this process among its peers; unset: the role's name and the host's",
        ),
        examples=["worker-1"],
    )
    http_host: str = Field(
        "127.0.0.1",
        description=say(zh="/healthz、/readyz 和 /metrics 的监听地址", en="Address of /healthz, /readyz and /metrics"),
    )
    http_port: Port = Field(
        8600, description=say(zh="/healthz、/readyz 和 /metrics 的端口", en="Port of /healthz, /readyz and /metrics")
    )
    log_level: str = Field(
        "info",
        pattern="^(debug|info|warning|error)$",
        description=say(zh="日志级别：debug、info、warning 或 error", en="debug, info, warning or error"),
    )
    log_format: LogFormat = Field(
        "auto",
        description=say(
            zh="日志格式：text、json 或 auto（在终端上为 text）", en="text, json or auto (text on a terminal)"
        ),
    )
