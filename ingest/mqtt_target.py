"""Which MQTT broker to speak to and how: from settings to a connected client's parameters.

Raises `ConfigurationError` naming the setting for a URL, port or certificate file that cannot be right.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from devices.model import Secret
from ingest.settings import MqttSettings
from runtime.errors import ConfigurationError
from runtime.language import say

MqttVersion = Literal["3.1.1", "5"]

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttTarget:
    """A broker and the login for it."""

    host: str
    port: int
    tls: bool = False
    ca_file: Path | None = None
    username: str | None = None
    password: Secret | None = None
    version: MqttVersion = "3.1.1"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext:
        """Verifies the broker's certificate against `ca_file`, or the system's authorities when there is none."""
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                say(
                    zh=f"mqtt_ca_file：无法从 {self.ca_file} 读取证书：{error}",
                    en=f"mqtt_ca_file: cannot read certificates from {self.ca_file}: {error}",
                )
            ) from None


def target_from_settings(settings: MqttSettings) -> MqttTarget:
    """The broker of `mqtt_url`, or the embedded one of `sharpeyes up` when that is unset."""
    password = settings.mqtt_password
    secret = Secret(password.get_secret_value()) if password else None
    if secret and not settings.mqtt_username:
        raise ConfigurationError(
            say(
                zh="mqtt_username：设置了密码而没有用户名；请同时设置 SHARPEYES_MQTT_USERNAME",
                en="mqtt_username: a password is set but no user name; set SHARPEYES_MQTT_USERNAME too",
            )
        )
    host, port, tls = _host_port(settings)
    if settings.mqtt_ca_file and not tls:
        raise ConfigurationError(
            say(
                zh="mqtt_ca_file：设置了 CA 证书，但 mqtt_url 未使用 TLS；请写成 mqtts://HOST:8883，或不设置 CA 证书",
                en="mqtt_ca_file: a CA is set but mqtt_url does not use TLS; write mqtts://HOST:8883 or leave out the "
                "CA file",
            )
        )
    return MqttTarget(
        host=host,
        port=port,
        tls=tls,
        ca_file=settings.mqtt_ca_file,
        username=settings.mqtt_username,
        password=secret,
        version=settings.mqtt_version,
    )


def _host_port(settings: MqttSettings) -> tuple[str, int, bool]:
    if settings.mqtt_url is None:
        return settings.mqtt_listen_host, settings.mqtt_listen_port, False
    try:
        parts = urlsplit(settings.mqtt_url)
        host, port = parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        host, port = None, 0
    if not host:
        raise ConfigurationError(
            say(
                zh="mqtt_url：不是 MQTT 服务的地址。例如 mqtt://127.0.0.1:1883",
                en="mqtt_url: not a broker's address. Example: mqtt://127.0.0.1:1883",
            )
        )
    return host, port, settings.mqtt_url.startswith("mqtts:")
