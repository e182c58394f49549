"""`sharpeyes bridge`: the role between MQTT devices and the bus."""

import typer

from runtime.language import say


def bridge(context: typer.Context) -> None:
    from console.bridge import run_bridge  # only this command needs it, and it takes a second to import

    run_bridge(context.obj.values)


bridge.__doc__ = say(
    zh="把 MQTT 呼叫盒和传感器接入告警总线，直到 Ctrl-C 停止。\n\n"
    "例：SHARPEYES_MQTT_URL=mqtt://127.0.0.1:1883 SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 sharpeyes bridge",
    en="Connect MQTT call boxes and sensors with the alert bus, until Ctrl-C.\n\n"
    "Example: SHARPEYES_MQTT_URL=mqtt://127.0.0.1:1883 SHARPEYES_KAFKA_BOOTSTRAP=127.0.0.1:9092 sharpeyes bridge",
)
