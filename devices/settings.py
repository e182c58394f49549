"""Settings of the registry."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from runtime.language import say


class RegistrySettings(BaseModel):
    database_url: SecretStr | None = Field(
        None,
        description=say(
            zh="登记信息和告警所用的 SQL 数据库；不设置则使用数据目录中的 SQLite",
            en="SQL database of the registry and the alert store; unset: SQLite in the data folder",
        ),
        examples=["postgresql://sharpeyes:PASSWORD@127.0.0.1:5432/sharpeyes"],
    )
    key_file: Path | None = Field(
        None,
        description=say(
            zh="加密摄像头密码的密钥文件；不设置则使用数据目录中的 secret.key，首次启动时生成",
            en="File with the key that encrypts camera passwords; unset: secret.key in the data folder, made once",
        ),
        examples=["/run/secrets/sharpeyes_key"],
    )
