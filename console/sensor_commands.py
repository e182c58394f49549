"""`sharpeyes sensor add|list|show|remove`. Each command opens the registry, does one thing, closes it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from console.device_probe import probe_device
from console.record_output import note, print_json, print_record, print_records, shown_document
from console.registry_context import command_registry
from console.registry_options import (
    AsJson,
    AtSite,
    Disabled,
    Id,
    Name,
    PositionText,
    Replace,
    read_position,
    refuse_if_registered,
)
from devices.model import Crossing, Sensor, Severity, Threshold
from devices.validation import FieldError
from runtime.language import say

app = typer.Typer(
    no_args_is_help=True, help=say(zh="传感器：水位、烟感、温度等", en="Sensors: water level, smoke, ...")
)

_COLUMNS = (
    ("sensor_id", say(zh="编号", en="Id")),
    ("name", say(zh="名称", en="Name")),
    ("site_id", say(zh="站点", en="Site")),
    ("metric", say(zh="指标", en="Metric")),
    ("unit", say(zh="单位", en="Unit")),
    ("enabled", say(zh="启用", en="Enabled")),
)

Above = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TRIP[,CLEAR]",
        show_default=False,
        help=say(
            zh="高于 TRIP 告警，回到 CLEAR 以下解除；3.5,3.2",
            en="Alert above TRIP, over when back below CLEAR: 3.5,3.2",
        ),
    ),
]
Below = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TRIP[,CLEAR]",
        show_default=False,
        help=say(
            zh="低于 TRIP 告警，回到 CLEAR 以上解除；0.2,0.4",
            en="Alert below TRIP, over when back above CLEAR: 0.2,0.4",
        ),
    ),
]


@app.command(
    help=say(
        zh="登记一个传感器；阈值写作 触发[,恢复]，可重复给出。\n\n"
        "例：sharpeyes sensor add gauge-2 --site village-3 --metric water_level --unit m "
        "--above 3.5,3.2 --dwell-s 60",
        en="Register a sensor; a threshold is TRIP[,CLEAR] and may be given several times.\n\n"
        "Example: sharpeyes sensor add gauge-2 --site village-3 --metric water_level --unit m "
        "--above 3.5,3.2 --dwell-s 60",
    )
)
def add(
    context: typer.Context,
    sensor_id: Id,
    site: AtSite,
    metric: Annotated[str, typer.Option(help=say(zh="所测的量，例如 water_level", en="What it measures: water_level"))],
    unit: Annotated[str, typer.Option(help=say(zh="读数的单位，例如 m", en="Unit of its readings: m"))],
    name: Name = None,
    above: Above = None,
    below: Below = None,
    dwell_s: Annotated[
        float, typer.Option(help=say(zh="越限多少秒才告警", en="Seconds beyond before it alerts"))
    ] = 0.0,
    severity: Annotated[Severity, typer.Option(help=say(zh="告警的严重程度", en="Of its alerts"))] = Severity.WARNING,
    missing_after_s: Annotated[
        float, typer.Option(help=say(zh="多少秒无数据算失联", en="Seconds of silence that count as missing"))
    ] = 900.0,
    position: PositionText = None,
    disabled: Disabled = False,
    replace: Replace = False,
) -> None:
    high = [_threshold(Crossing.ABOVE, text, dwell_s, severity) for text in above or ()]
    low = [_threshold(Crossing.BELOW, text, dwell_s, severity) for text in below or ()]
    sensor = Sensor(
        sensor_id=sensor_id,
        name=name or sensor_id,
        site_id=site,
        metric=metric,
        unit=unit,
        thresholds=(*high, *low),
        missing_after_s=missing_after_s,
        position=read_position(position),
        enabled=not disabled,
    )
    with command_registry(context, may_begin=True) as registry:
        refuse_if_registered(registry.sensor, sensor_id, replace=replace)
        registry.put_sensor(sensor)
    note(say(zh=f"已登记传感器 {sensor_id}", en=f"Registered sensor {sensor_id}"))


def _threshold(crossing: Crossing, text: str, dwell_s: float, severity: Severity) -> Threshold:
    """ "3.5,3.2" as a threshold named after its trip: "above 3.5"."""
    trip, comma, clear = text.replace("\uff0c", ",").partition(",")
    try:
        limits = float(trip), float(clear if comma else trip)
    except ValueError:
        raise FieldError(
            f"--{crossing}", say(zh="须为 触发[,恢复]，例如 3.5,3.2", en="must be TRIP[,CLEAR], for example 3.5,3.2")
        ) from None
    name = f"{crossing} {trip.strip()}"
    try:
        return Threshold(
            name=name, crossing=crossing, trip=limits[0], clear=limits[1], dwell_s=dwell_s, severity=severity
        )
    except FieldError as error:
        raise FieldError(f"--{crossing}", error.reason) from None


@app.command("list", help=say(zh="列出全部传感器", en="List all sensors"))
def list_sensors(context: typer.Context, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        sensors: Sequence[Sensor] = registry.sensors()
    print_records(sensors, _COLUMNS, as_json=as_json)


@app.command(help=say(zh="显示一个传感器", en="Show one sensor"))
def show(context: typer.Context, sensor_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        sensor = registry.sensor(sensor_id)
    if as_json:
        print_json(shown_document(sensor))
    else:
        print_record(sensor)


@app.command(help=say(zh="检查一个传感器是否在线", en="Check whether a sensor is online, and why not"))
def probe(context: typer.Context, sensor_id: Id, as_json: AsJson = False) -> None:
    with command_registry(context) as registry:
        registry.sensor(sensor_id)
    probe_device(context, sensor_id, as_json=as_json)


@app.command(help=say(zh="删除一个传感器；它的告警保留", en="Remove a sensor; its alerts stay"))
def remove(context: typer.Context, sensor_id: Id) -> None:
    with command_registry(context) as registry:
        registry.remove_sensor(sensor_id)
    note(say(zh=f"已删除传感器 {sensor_id}", en=f"Removed sensor {sensor_id}"))
