"""The columns of a registry CSV: one table for all kinds, told apart by the column `kind`.

`COLUMNS` is read by the import, and shown to people by `sharpeyes import --columns`. Cell readers are pure and raise
`FieldError`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from devices.codec import choice
from devices.login import split_login
from devices.model import PlaceType, Purpose, RecordingMode, Severity, SiteLevel, Transport
from devices.validation import FieldError, check_id, check_metric, check_name, shown
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


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FieldError(name, say(zh=f"{shown(text)} 不是数字", en=f"{shown(text)} is not a number")) from None


def _flag(text: str, name: str) -> bool:
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise FieldError(name, say(zh=f"{shown(text)} 须为 是 或 否", en=f"{shown(text)} must be yes or no"))


def _kind(text: str, name: str) -> str:
    if text in KINDS:
        return text
    words = ", ".join(KINDS)
    raise FieldError(name, say(zh=f"{shown(text)} 须为 {words} 之一", en=f"{shown(text)} must be one of {words}"))


def _words(kind: type[StrEnum]) -> str:
    return " | ".join(member.value for member in kind)


COLUMNS = (
    Column("kind", "类型", _kind, KINDS, KINDS, " | ".join(KINDS), "camera"),
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
    Column("level", "级别", choice(SiteLevel).read, (SITE,), (SITE,), _words(SiteLevel), "village"),
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
    Column("purpose", "用途", choice(Purpose).read, (CAMERA,), (CAMERA,), _words(Purpose), "traffic"),
    Column("place_type", "场所", choice(PlaceType).read, (CAMERA,), (CAMERA,), _words(PlaceType), "road_junction"),
    Column("transport", "传输", choice(Transport).read, (CAMERA,), (), _words(Transport), "tcp"),
    Column("detect_fps", "检测帧率", _number, (CAMERA,), (), say(zh="每秒检测次数", en="detections a second"), "5"),
    Column("recording", "录像", choice(RecordingMode).read, (CAMERA,), (), _words(RecordingMode), "events"),
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
    Column("high", "上限", _number, (SENSOR,), (), say(zh="高于此值告警", en="alert above this"), "3.5"),
    Column(
        "high_clear",
        "上限恢复",
        _number,
        (SENSOR,),
        (),
        say(zh="回到此值以下解除", en="over when back below this"),
        "3.2",
    ),
    Column("low", "下限", _number, (SENSOR,), (), say(zh="低于此值告警", en="alert below this"), ""),
    Column(
        "low_clear", "下限恢复", _number, (SENSOR,), (), say(zh="回到此值以上解除", en="over when back above this"), ""
    ),
    Column(
        "dwell_s",
        "持续秒数",
        _number,
        (SENSOR,),
        (),
        say(zh="越限多久才告警", en="seconds beyond before it alerts"),
        "60",
    ),
    Column("severity", "严重程度", choice(Severity).read, (SENSOR,), (), _words(Severity), "critical"),
    Column(
        "missing_after_s",
        "失联秒数",
        _number,
        (SENSOR,),
        (),
        say(zh="多久无数据算失联", en="silence that counts as missing"),
        "900",
    ),
    Column("latitude", "纬度", _number, DEVICES, (), "WGS84", "30.6612"),
    Column("longitude", "经度", _number, DEVICES, (), "WGS84", "104.0633"),
    Column("enabled", "启用", _flag, DEVICES, (), say(zh="是 或 否，空为是", en="yes or no; blank is yes"), "yes"),
)
