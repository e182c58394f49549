"""Settings of detectors."""

from pathlib import Path

from pydantic import BaseModel, Field

from runtime.language import say


class ModelSettings(BaseModel):
    model: str | None = Field(
        None,
        description=say(
            zh="模型目录中默认检测模型的名称；不设置则按处理器的能力选择",
            en="Name of the default detector in the catalogue; unset: chosen by what the processor has",
        ),
    )
    model_catalogue: Path | None = Field(
        None,
        description=say(
            zh="附加的模型目录文件，其中的模型加入自带的模型之中",
            en="A further catalogue file whose entries are added to the shipped ones",
        ),
        examples=["/etc/sharpeyes/models.toml"],
    )
    inference_threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description=say(zh="推理线程数；不设置则每个处理器核心一个", en="Inference threads; unset: one for each core"),
        examples=[2],
    )
