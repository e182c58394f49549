"""The sentence of every alert, in Chinese and English, for the people in the monitoring room.

Pure functions. Short enough for one line of a list: where, what; the device's name as the registry has it.
"""

from collections.abc import Mapping

from alerts.contract import AlertKind, CallOutcome, CallStep, Rating, Text
from devices.model import Direction

OBJECTS: Mapping[str, Text] = {
    "person": Text(zh="人员", en="person"),
    "bicycle": Text(zh="自行车", en="bicycle"),
    "car": Text(zh="汽车", en="car"),
    "motorcycle": Text(zh="摩托车", en="motorcycle"),
    "bus": Text(zh="大客车", en="bus"),
    "truck": Text(zh="货车", en="truck"),
    "dog": Text(zh="犬只", en="dog"),
    "sheep": Text(zh="羊", en="sheep"),
    "cow": Text(zh="牛", en="cow"),
    "horse": Text(zh="马", en="horse"),
}

METRICS: Mapping[str, Text] = {
    "water_level": Text(zh="水位", en="water level"),
    "rainfall": Text(zh="雨量", en="rainfall"),
    "temperature": Text(zh="温度", en="temperature"),
    "humidity": Text(zh="湿度", en="humidity"),
    "wind_speed": Text(zh="风速", en="wind speed"),
    "smoke": Text(zh="烟雾浓度", en="smoke density"),
    "battery": Text(zh="电量", en="battery charge"),
}

KINDS: Mapping[AlertKind, Text] = {
    AlertKind.ZONE_ENTERED: Text(zh="进入区域", en="zone entered"),
    AlertKind.LINE_CROSSED: Text(zh="越线", en="line crossed"),
    AlertKind.LOITERING: Text(zh="徘徊逗留", en="loitering"),
    AlertKind.CALL: Text(zh="呼叫求助", en="help call"),
    AlertKind.SENSOR_THRESHOLD: Text(zh="监测超限", en="sensor threshold"),
    AlertKind.SENSOR_MISSING: Text(zh="数据中断", en="sensor data missing"),
}


def object_name(object_class: str) -> Text:
    """The word for a detector's class; the class itself where there is none."""
    return OBJECTS.get(object_class, Text(zh=object_class, en=object_class))


def metric_name(metric: str) -> Text:
    """The word for a sensor's metric; the metric itself where there is none."""
    return METRICS.get(metric, Text(zh=metric, en=metric))


def zone_entered(device_name: str, object_class: str, zone: str) -> Text:
    what = object_name(object_class)
    return Text(
        zh=f"{device_name}：{what.zh}进入“{zone}”区域",
        en=f"{device_name}: {what.en} entered zone “{zone}”",
    )


def line_crossed(device_name: str, object_class: str, line: str, direction: Direction | None) -> Text:
    what = object_name(object_class)
    zh = {Direction.A_TO_B: "（A 侧到 B 侧）", Direction.B_TO_A: "（B 侧到 A 侧）"}
    en = {Direction.A_TO_B: " from side A to side B", Direction.B_TO_A: " from side B to side A"}
    return Text(
        zh=f"{device_name}：{what.zh}越过“{line}”{zh.get(direction, '') if direction else ''}",
        en=f"{device_name}: {what.en} crossed “{line}”{en.get(direction, '') if direction else ''}",
    )


def loitering(device_name: str, object_class: str, zone: str, dwell_s: float) -> Text:
    what = object_name(object_class)
    return Text(
        zh=f"{device_name}：{what.zh}在“{zone}”区域逗留已达 {dwell_s:.0f} 秒",
        en=f"{device_name}: {what.en} has stayed in zone “{zone}” for {dwell_s:.0f} s",
    )


def sensor_above(device_name: str, metric: str, value: float, limit: float, unit: str) -> Text:
    what = metric_name(metric)
    return Text(
        zh=f"{device_name}：{what.zh} {value:g} {unit}，超过警戒值 {limit:g} {unit}",
        en=f"{device_name}: {what.en} {value:g} {unit}, above the limit of {limit:g} {unit}",
    )


def sensor_below(device_name: str, metric: str, value: float, limit: float, unit: str) -> Text:
    what = metric_name(metric)
    return Text(
        zh=f"{device_name}：{what.zh} {value:g} {unit}，低于警戒值 {limit:g} {unit}",
        en=f"{device_name}: {what.en} {value:g} {unit}, below the limit of {limit:g} {unit}",
    )


def sensor_missing(device_name: str, metric: str, silent_s: float) -> Text:
    what = metric_name(metric)
    minutes = max(1, round(silent_s / 60))
    return Text(
        zh=f"{device_name}：{what.zh}数据已中断 {minutes} 分钟",
        en=f"{device_name}: no {what.en} data for {minutes} min",
    )


def sensor_normal(device_name: str, metric: str, value: float | None, unit: str) -> Text:
    """The value is back within its limit, or the data is back; `value` is None when the sensor has not said one yet."""
    what = metric_name(metric)
    zh, en = ("", "") if value is None else (f"({value:g} {unit})", f" ({value:g} {unit})")
    return Text(zh=f"{device_name}：{what.zh}已恢复正常{zh}", en=f"{device_name}: {what.en} is back to normal{en}")


def sensor_removed(device_name: str, metric: str) -> Text:
    """Nobody watches the value any more."""
    what = metric_name(metric)
    return Text(
        zh=f"{device_name}：{what.zh}监测已从登记中删除或停用，不再判断",
        en=f"{device_name}: {what.en} is watched no more, removed from the registry or switched off",
    )


def call(device_name: str, step: CallStep, site_name: str) -> Text:
    """A call that is not closed; `site_name` is who is being rung or who answered."""
    zh = {
        CallStep.OPEN: "按键求助",
        CallStep.RINGING: f"按键求助，正在呼叫{site_name}",
        CallStep.ANSWERED: f"求助已由{site_name}接听",
        CallStep.DISPATCHED: "求助已派人前往处置",
        CallStep.RATING: "求助已处理，等待评价",
        CallStep.CLOSED: "求助已结束",
    }
    en = {
        CallStep.OPEN: "calls for help",
        CallStep.RINGING: f"calls for help, ringing {site_name}",
        CallStep.ANSWERED: f"call answered by {site_name}",
        CallStep.DISPATCHED: "call: someone is on the way",
        CallStep.RATING: "call handled, waiting for a rating",
        CallStep.CLOSED: "call ended",
    }
    return Text(zh=f"{device_name}：{zh[step]}", en=f"{device_name}: {en[step]}")


def call_closed(device_name: str, outcome: CallOutcome, rating: Rating | None) -> Text:
    """How a call ended."""
    if outcome is CallOutcome.RATED:
        zh, en = (
            ("求助已结束，评价满意", "call ended, rated good")
            if rating is Rating.UP
            else ("求助已结束，评价不满意", "call ended, rated bad")
        )
    else:
        zh, en = {
            CallOutcome.UNRATED: ("求助已结束，未评价", "call ended, not rated"),
            CallOutcome.ABANDONED: ("接听前已挂断", "hung up before anyone answered"),
            CallOutcome.REJECTED: ("求助已被退回", "call was rejected"),
        }[outcome]
    return Text(zh=f"{device_name}：{zh}", en=f"{device_name}: {en}")
