"""Settings of the bus, the outbox and calls."""

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from runtime.language import say


class BusSettings(BaseModel):
    kafka_bootstrap: str | None = Field(
        None,
        description=say(
            zh="Kafka 服务器，以逗号分隔；不设置则使用数据目录中的内置总线",
            en="Kafka servers, comma-separated; unset: the embedded bus in the data folder",
        ),
        examples=["127.0.0.1:9092"],
    )
    kafka_partitions: int = Field(
        12, ge=1, le=1000, description=say(zh="新建主题的分区数", en="Partitions of topics that have to be created")
    )
    kafka_replication: int = Field(
        1, ge=1, le=10, description=say(zh="新建主题的副本数", en="Replicas of topics that have to be created")
    )

    @field_validator("kafka_bootstrap")
    @classmethod
    def _names_hosts_and_ports(cls, value: str | None) -> str | None:
        for server in [] if value is None else value.split(","):
            if not _is_server(server.strip()):
                server = server.strip()
                raise ValueError(say(zh=f"{server!r} 不是 HOST:PORT", en=f"{server!r} is not HOST:PORT"))
        return value


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(f"//{text}")
        return bool(parts.hostname and parts.port and parts.netloc == text and "@" not in text and " " not in text)
    except ValueError:
        return False


class CallSettings(BaseModel):
    call_escalate_after_s: float = Field(
        30.0,
        ge=1,
        le=3600,
        description=say(
            zh="呼叫无人接听时，过这么多秒上报上一级网格",
            en="A call nobody answers goes one level up the grid tree after this many seconds",
        ),
    )
    call_rating_timeout_s: float = Field(
        86400.0,
        ge=1,
        le=30 * 86400,
        description=say(
            zh="呼叫结束后，呼叫盒仍可评价的时间（秒）", en="How long the call box may still send its thumb, in seconds"
        ),
    )
