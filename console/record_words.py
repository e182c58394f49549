"""A record's fields and values in words for people: what `show` and the lists print. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from devices.model import Sensor, Site, Threshold
from devices.registry import Device
from devices.scene import Line, Rule, Zone
from devices.words import word
from runtime.language import say

_CHINESE_KEYS: Mapping[str, str] = {
    "site_id": "站点",
    "camera_id": "编号",
    "callbox_id": "编号",
    "sensor_id": "编号",
    "name": "名称",
    "level": "级别",
    "parent_id": "上级",
    "main_url": "主码流",
    "sub_url": "子码流",
    "transport": "传输",
    "purpose": "用途",
    "place_type": "场所",
    "position": "位置",
    "detect_fps": "检测帧率",
    "recording": "录像",
    "model": "模型",
    "enabled": "启用",
    "zones": "区域",
    "lines": "线",
    "rules": "规则",
    "login": "登录",
    "metric": "指标",
    "unit": "单位",
    "thresholds": "阈值",
    "missing_after_s": "失联秒数",
}


def key_word(record: Site | Device, key: str) -> str:
    """The heading of a field."""
    if isinstance(record, Site) and key == "site_id":
        return say(zh="编号", en=key)
    return say(zh=_CHINESE_KEYS.get(key, key), en=key)


def value_words(record: Site | Device, key: str) -> str | None:
    """A field that has words of its own: a choice, or what a camera looks for; None for all others."""
    value: object = getattr(record, key, None)
    if isinstance(value, StrEnum):
        return _choice(value)
    if isinstance(value, tuple) and value:
        unit = record.unit if isinstance(record, Sensor) else ""
        return "\n".join(_entry(item, unit) for item in value)
    return None


def _choice(member: StrEnum) -> str:
    return say(zh=word(member), en=member.value)


def _entry(item: object, unit: str) -> str:
    if isinstance(item, Rule):
        return _rule(item)
    if isinstance(item, Zone):
        count = len(item.polygon)
        return f"{item.name}: " + say(zh=f"{count} 个顶点", en=f"{count} corners")
    if isinstance(item, Line):
        (x1, y1), (x2, y2) = item.start, item.end
        return f"{item.name}: ({x1:g}, {y1:g}) → ({x2:g}, {y2:g})"
    return _threshold(item, unit) if isinstance(item, Threshold) else str(item)


def _rule(rule: Rule) -> str:
    classes = ", ".join(sorted(rule.classes))
    parts = [_choice(rule.kind), f"“{rule.area}”", classes, _choice(rule.severity)]
    if rule.dwell_s:
        parts.append(say(zh=f"停留 {rule.dwell_s:g} 秒", en=f"after {rule.dwell_s:g} s"))
    if rule.schedule.windows:
        parts.append(say(zh="按时段", en="at set hours"))
    return f"{rule.name}: " + say(zh="，", en=", ").join(part for part in parts if part)


def _threshold(threshold: Threshold, unit: str) -> str:
    crossing, trip, clear = word(threshold.crossing), f"{threshold.trip:g} {unit}", f"{threshold.clear:g} {unit}"
    text = say(zh=f"{crossing} {trip} 告警，回到 {clear} 解除", en=f"alerts {crossing} {trip}, over at {clear}")
    return f"{threshold.name}: {text}, {_choice(threshold.severity)}"
