"""Settings of the registry."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class RegistrySettings(BaseModel):
    database_url: SecretStr | None = Field(
        None,
        description="SQL database of the registry and the alert store; unset: SQLite in the data folder",
        examples=["postgresql://sharpeyes:PASSWORD@127.0.0.1:5432/sharpeyes"],
    )
    key_file: Path | None = Field(
        None,
        description="File with the key that encrypts camera passwords; unset: secret.key in the data folder, made once",
        examples=["/run/secrets/sharpeyes_key"],
    )
