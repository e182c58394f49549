"""`sharpeyes worker`: the role between cameras and the bus."""

import typer

from runtime.language import say


def worker(context: typer.Context) -> None:
    from console.worker import run_worker  # only this command needs it, and it takes a second to import

    run_worker(context.obj.values)


worker.__doc__ = say(
    zh="接收摄像头，发现情况即告警。\n\n接收已登记的全部摄像头，发出告警并保存片段，直到 Ctrl-C 停止。\n\n"
    "例：SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 SHARPEYES_S3_ENDPOINT=127.0.0.1:9000 sharpeyes worker",
    en="Watch all registered cameras, raise alerts and keep their clips, until Ctrl-C.\n\n"
    "Example: SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 SHARPEYES_S3_ENDPOINT=127.0.0.1:9000 sharpeyes worker",
)
