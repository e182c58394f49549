"""Settings of cameras, clips, the object store and MQTT."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

Port = Annotated[int, Field(ge=0, le=65535)]


class CameraSettings(BaseModel):
    ring_s: float = Field(12.0, ge=2, le=120, description="Seconds of packets each camera keeps in memory")
    ring_bytes: int = Field(
        16 << 20, ge=1 << 20, le=1 << 30, description="Bytes of packets each camera may keep in memory"
    )
    pre_roll_s: float = Field(5.0, ge=0, le=60, description="Seconds a clip begins before its event")
    post_roll_s: float = Field(5.0, ge=0, le=60, description="Seconds a clip goes on after its event")
    clip_max_s: float = Field(60.0, ge=5, le=600, description="A clip is cut off at this length, in seconds")
    segment_s: float = Field(60.0, ge=2, le=3600, description="Length of a segment of continuous recording, in seconds")
    session_timeout_s: float = Field(5.0, ge=1, le=60, description="A camera silent for this long is reconnected")


class ObjectStoreSettings(BaseModel):
    s3_endpoint: str | None = Field(
        None,
        description="HOST:PORT of MinIO or another S3; unset: a directory in the data folder",
        examples=["127.0.0.1:9000"],
    )
    s3_bucket: str = Field(
        "sharpeyes", pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket of the clips"
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket")
    s3_tls: bool = Field(False, description="Speak HTTPS to the object store")
    s3_access_key: SecretStr | None = Field(None, description="Access key of the object store")
    s3_secret_key: SecretStr | None = Field(None, description="Secret key of the object store")
    spool_max_bytes: int = Field(
        8 << 30, ge=64 << 20, description="Bytes of clips that may wait on disk for the object store"
    )
    spool_min_free_bytes: int = Field(
        512 << 20,
        ge=0,
        description="Bytes that recording leaves free on the disk of the data folder, so that alerts can be kept",
    )


class MqttSettings(BaseModel):
    mqtt_url: str | None = Field(
        None,
        pattern=r"^mqtts?://[^/@\s]+$",
        description="MQTT broker of the call boxes and sensors; unset: the embedded broker of `sharpeyes up`",
        examples=["mqtt://127.0.0.1:1883", "mqtts://broker.example:8883"],
    )
    mqtt_username: str | None = Field(None, description="User name at the broker")
    mqtt_password: SecretStr | None = Field(None, description="Password at the broker")
    mqtt_ca_file: Path | None = Field(None, description="CA certificate that signed the broker's")
    mqtt_version: Literal["3.1.1", "5"] = Field(
        "3.1.1", description="MQTT version spoken with the broker; the embedded broker speaks 3.1.1 only"
    )
    mqtt_listen_host: str = Field("127.0.0.1", description="Address the embedded broker listens on")
    mqtt_listen_port: Port = Field(1883, description="Port the embedded broker listens on")
