"""Settings of cameras, clips, the object store and MQTT."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from runtime.language import say

Port = Annotated[int, Field(ge=0, le=65535)]


class CameraSettings(BaseModel):
    ring_s: float = Field(
        12.0,
        ge=2,
        le=120,
        description=say(zh="每台摄像头在内存中保留多少秒的视频包", en="Seconds of packets each camera keeps in memory"),
    )
    ring_bytes: int = Field(
        16 << 20,
        ge=1 << 20,
        le=1 << 30,
        description=say(
            zh="每台摄像头在内存中最多保留多少字节的视频包", en="Bytes of packets each camera may keep in memory"
        ),
    )
    pre_roll_s: float = Field(
        5.0, ge=0, le=60, description=say(zh="片段从事件之前多少秒开始", en="Seconds a clip begins before its event")
    )
    post_roll_s: float = Field(
        5.0, ge=0, le=60, description=say(zh="片段在事件之后再延续多少秒", en="Seconds a clip goes on after its event")
    )
    clip_max_s: float = Field(
        60.0,
        ge=5,
        le=600,
        description=say(zh="片段的最大长度（秒），到此截断", en="A clip is cut off at this length, in seconds"),
    )
    segment_s: float = Field(
        60.0,
        ge=2,
        le=3600,
        description=say(zh="连续录像每段的长度（秒）", en="Length of a segment of continuous recording, in seconds"),
    )
    session_timeout_s: float = Field(
        5.0,
        ge=1,
        le=60,
        description=say(zh="摄像头静默达到这么多秒就重新连接", en="A camera silent for this long is reconnected"),
    )


class ObjectStoreSettings(BaseModel):
    s3_endpoint: str | None = Field(
        None,
        description=say(
            zh="MinIO 或其他 S3 的 HOST:PORT；不设置则使用数据目录中的一个目录",
            en="HOST:PORT of MinIO or another S3; unset: a directory in the data folder",
        ),
        examples=["127.0.0.1:9000"],
    )
    s3_bucket: str = Field(
        "sharpeyes",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description=say(zh="存放片段的存储桶", en="Bucket of the clips"),
    )
    s3_region: str = Field("us-east-1", description=say(zh="存储桶所在的区域", en="Region of the bucket"))
    s3_tls: bool = Field(False, description=say(zh="是否以 HTTPS 访问对象存储", en="Speak HTTPS to the object store"))
    s3_access_key: SecretStr | None = Field(
        None, description=say(zh="对象存储的访问密钥（access key）", en="Access key of the object store")
    )
    s3_secret_key: SecretStr | None = Field(
        None, description=say(zh="对象存储的私有密钥（secret key）", en="Secret key of the object store")
    )
    spool_max_bytes: int = Field(
        8 << 30,
        ge=64 << 20,
        description=say(
            zh="等待上传到对象存储的片段最多占用磁盘多少字节",
            en="Bytes of clips that may wait on disk for the object store",
        ),
    )
    spool_min_free_bytes: int = Field(
        512 << 20,
        ge=0,
        description=say(
            zh="录像在数据目录所在磁盘上至少留出多少字节，保证告警能够落盘",
            en="Bytes that recording leaves free on the disk of the data folder, so that alerts can be kept",
        ),
    )


class MqttSettings(BaseModel):
    mqtt_url: str | None = Field(
        None,
        pattern=r"^mqtts?://[^/@\s]+$",
        description=say(
            zh="呼叫盒和传感器的 MQTT 服务；不设置则使用 `sharpeyes up` 内置的服务",
            en="MQTT broker of the call boxes and sensors; unset: the embedded broker of `sharpeyes up`",
        ),
        examples=["mqtt://127.0.0.1:1883", "mqtts://broker.example:8883"],
    )
    mqtt_username: str | None = Field(None, description=say(zh="MQTT 服务的用户名", en="User name at the broker"))
    mqtt_password: SecretStr | None = Field(None, description=say(zh="MQTT 服务的密码", en="Password at the broker"))
    mqtt_ca_file: Path | None = Field(
        None, description=say(zh="为 MQTT 服务签发证书的 CA 证书文件", en="CA certificate that signed the broker's")
    )
    mqtt_version: Literal["3.1.1", "5"] = Field(
        "3.1.1",
        description=say(
            zh="与 MQTT 服务通信的协议版本；内置服务只支持 3.1.1",
            en="MQTT version spoken with the broker; the embedded broker speaks 3.1.1 only",
        ),
    )
    mqtt_listen_host: str = Field(
        "127.0.0.1", description=say(zh="内置 MQTT 服务的监听地址", en="Address the embedded broker listens on")
    )
    mqtt_listen_port: Port = Field(
        1883, description=say(zh="内置 MQTT 服务的监听端口", en="Port the embedded broker listens on")
    )
