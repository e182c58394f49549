"""Settings of detectors."""

from pathlib import Path

from pydantic import BaseModel, Field


class ModelSettings(BaseModel):
    model: str | None = Field(
        None, description="Name of the default detector in the catalogue; unset: chosen by what the processor has"
    )
    model_catalogue: Path | None = Field(
        None,
        description="A further catalogue file whose entries are added to the shipped ones",
        examples=["/etc/sharpeyes/models.toml"],
    )
    inference_threads: int | None = Field(
        None, ge=1, le=256, description="Inference threads; unset: one for each core", examples=[2]
    )
