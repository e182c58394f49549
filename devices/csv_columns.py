"""The columns of a registry CSV: one table for all kinds, told apart by the column `kind`.

`COLUMNS` is read by the import, and shown to people by `sharpeyes import --columns`. Cell readers are pure and raise
`FieldError`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from devices.login import split_login
from devices.model import (
    MAX_DETECT_FPS,
    MAX_READING,
    MONTH_S,
    DeviceKind,
    PlaceType,
    Purpose,
    RecordingMode,
    Severity,
    SiteLevel,
    Transport,
)
from devices.scene import DAY_S
from devices.validation import FieldError, check_id, check_metric, check_name, check_number, shown
from devices.words import SITE as SITE_WORDS
from devices.words import chinese, choices, spoken, word
from runtime.language import say

SITE = "site"
CAMERA = "camera"
CALLBOX = "callbox"
SENSOR = "sensor"
KINDS = (SITE, CAMERA, CALLBOX, SENSOR)
DEVICES = (CAMERA, CALLBOX, SENSOR)

YES = frozenset({"yes", "y", "true", "1", "是"})
NO = frozenset({"no", "n", "false", "0", "否"})


@dataclass(frozen=True, slots=True)
class Column:
    """`read(text, column name)` gives the cell's value; blank cells are never read."""

    name: str
    zh: str
    read: Callable[[str, str], Any]
    kinds: tuple[str, ...]
    required: tuple[str, ...] = ()
    meaning: str = ""
    example: str = ""


def _checked(check: Callable[[str, str], None]) -> Callable[[str, str], str]:
    def read(text: str, name: str) -> str:
        check(text, name)
        return text

    return read


def _as_is(text: str, _name: str) -> str:
    return text


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str, str], float]:
    """A number within the bounds of the field it is for, so that a row's every wrong number is named at once."""

    def read(text: str, name: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise FieldError(name, say(zh=f"{shown(text)} 不是数字", en=f"{shown(text)} is not a number")) from None
        check_number(value, name, low, high, above=above)
        return value

    return read


def _flag(text: str, name: str) -> bool:
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise FieldError(name, say(zh=f"{shown(text)} 须为 是 或 否", en=f"{shown(text)} must be yes or no"))


def kind_of(text: str) -> str | None:
    """The kind of row that a cell of the column `kind` names, in either language; None when it names none."""
    plain = text.strip().lower()
    if plain == SITE or plain in SITE_WORDS:
        return SITE
    found = spoken(DeviceKind, plain)
    return found.value if found is not None else None


def kind_word(kind: str) -> str:
    """A kind of row for people."""
    return say(zh=SITE_WORDS[0] if kind == SITE else chinese(DeviceKind(kind))[0], en=kind)


def _kinds() -> str:
    return " | ".join(say(zh=f"{kind_word(kind)} {kind}", en=kind) for kind in KINDS)


def _kind(text: str, name: str) -> str:
    kind = kind_of(text)
    if kind is not None:
        return kind
    listed = say(zh="、", en=", ").join(kind_word(kind) for kind in KINDS)
    raise FieldError(name, say(zh=f"{shown(text)} 须为{listed}之一", en=f"{shown(text)} must be one of {listed}"))


def _choice(kind: type[StrEnum]) -> Callable[[str, str], StrEnum]:
    def read(text: str, name: str) -> StrEnum:
        member = spoken(kind, text)
        if member is not None:
            return member
        listed = say(zh="、".join(word(each) for each in kind), en=", ".join(each.value for each in kind))
        raise FieldError(name, say(zh=f"{shown(text)} 须为{listed}之一", en=f"{shown(text)} must be one of {listed}"))

    return read


_reading = _number(-MAX_READING, MAX_READING)

COLUMNS = (
    Column("kind", "类型", _kind, KINDS, KINDS, _kinds(), "camera"),
    Column(
        "id",
        "编号",
        _checked(check_id),
        KINDS,
        KINDS,
        say(zh="编号，设备之间不得重复", en="unique among devices"),
        "gate-1",
    ),
    Column("name", "名称", _checked(check_name), KINDS, KINDS, say(zh="名称", en="name for people"), "东门"),
    Column(
        "site",
        "站点",
        _checked(check_id),
        KINDS,
        DEVICES,
        say(
            zh="所在站点的编号；站点行：上级站点的编号，空为最高级",
            en="id of its site; of a site: its parent, blank for a root",
        ),
        "village-3",
    ),
    Column("level", "级别", _choice(SiteLevel), (SITE,), (SITE,), choices(SiteLevel), "village"),
    Column(
        "main_url",
        "主码流",
        split_login,
        (CAMERA,),
        (CAMERA,),
        say(zh="RTSP 地址", en="RTSP URL"),
        "rtsp://192.168.1.64/1",
    ),
    Column(
        "sub_url", "子码流", split_login, (CAMERA,), (), say(zh="RTSP 地址", en="RTSP URL"), "rtsp://192.168.1.64/2"
    ),
    Column("username", "用户名", _as_is, (CAMERA,), (), say(zh="摄像头的登录名", en="login of the camera"), "admin"),
    Column("password", "密码", _as_is, (CAMERA,), (), say(zh="入库时加密", en="encrypted when stored"), ""),
    Column("purpose", "用途", _choice(Purpose), (CAMERA,), (CAMERA,), choices(Purpose), "traffic"),
    Column("place_type", "场所", _choice(PlaceType), (CAMERA,), (CAMERA,), choices(PlaceType), "road_junction"),
    Column("transport", "传输", _choice(Transport), (CAMERA,), (), choices(Transport), "tcp"),
    Column(
        "detect_fps",
        "检测帧率",
        _number(0.0, MAX_DETECT_FPS, above=True),
        (CAMERA,),
        (),
        say(zh="每秒检测次数", en="detections a second"),
        "5",
    ),
    Column("recording", "录像", _choice(RecordingMode), (CAMERA,), (), choices(RecordingMode), "events"),
    Column(
        "model", "模型", _checked(check_name), (CAMERA,), (), say(zh="目录中的模型名", en="model of the catalogue"), ""
    ),
    Column(
        "metric",
        "指标",
        _checked(check_metric),
        (SENSOR,),
        (SENSOR,),
        say(zh="所测的量", en="what it measures"),
        "water_level",
    ),
    Column("unit", "单位", _as_is, (SENSOR,), (SENSOR,), say(zh="读数的单位", en="unit of its readings"), "m"),
    Column("high", "上限", _reading, (SENSOR,), (), say(zh="高于此值告警", en="alert above this"), "3.5"),
    Column(
        "high_clear",
        "上限恢复",
        _reading,
        (SENSOR,),
        (),
        say(zh="回到此值以下解除", en="over when back below this"),
        "3.2",
    ),
    Column("low", "下限", _reading, (SENSOR,), (), say(zh="低于此值告警", en="alert below this"), ""),
    Column(
        "low_clear", "下限恢复", _reading, (SENSOR,), (), say(zh="回到此值以上解除", en="over when back above this"), ""
    ),
    Column(
        "dwell_s",
        "持续秒数",
        _number(0.0, DAY_S),
        (SENSOR,),
        (),
        say(zh="越限多久才告警", en="seconds beyond before it alerts"),
        "60",
    ),
    Column("severity", "严重程度", _choice(Severity), (SENSOR,), (), choices(Severity), "critical"),
    Column(
        "missing_after_s",
        "失联秒数",
        _number(0.0, MONTH_S, above=True),
        (SENSOR,),
        (),
        say(zh="多久无数据算失联", en="silence that counts as missing"),
        "900",
    ),
    Column("latitude", "纬度", _number(-90.0, 90.0), DEVICES, (), "WGS84", "30.6612"),
    Column("longitude", "经度", _number(-180.0, 180.0), DEVICES, (), "WGS84", "104.0633"),
    Column("enabled", "启用", _flag, DEVICES, (), say(zh="是 或 否，空为是", en="yes or no; blank is yes"), "yes"),
)
