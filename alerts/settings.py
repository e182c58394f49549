"""Settings of the bus, the outbox and calls."""

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator


class BusSettings(BaseModel):
    kafka_bootstrap: str | None = Field(
        None,
        description="Kafka servers, comma-separated; unset: the embedded bus in the data folder",
        examples=["127.0.0.1:9092"],
    )
    kafka_partitions: int = Field(12, ge=1, le=1000, description="Partitions of topics that have to be created")
    kafka_replication: int = Field(1, ge=1, le=10, description="Replicas of topics that have to be created")

    @field_validator("kafka_bootstrap")
    @classmethod
    def _names_hosts_and_ports(cls, value: str | None) -> str | None:
        for server in [] if value is None else value.split(","):
            if not _is_server(server.strip()):
                raise ValueError(f"{server.strip()!r} is not HOST:PORT")
        return value


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(f"//{text}")
        return bool(parts.hostname and parts.port and parts.netloc == text and "@" not in text and " " not in text)
    except ValueError:
        return False


class CallSettings(BaseModel):
    call_escalate_after_s: float = Field(
        30.0, ge=1, le=3600, description="A call nobody answers goes one level up the grid tree after this many seconds"
    )
    call_rating_timeout_s: float = Field(
        86400.0, ge=1, le=30 * 86400, description="How long the call box may still send its thumb, in seconds"
    )
