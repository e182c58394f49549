"""The words of the registry's enumerations in Chinese and English, for lists, forms and tables of people.

Pure tables. `word` says a member in the language of this process; `spoken` reads a word of either language back.
"""

from collections.abc import Mapping
from enum import StrEnum

from devices.model import Crossing, DeviceKind, PlaceType, Purpose, RecordingMode, SiteLevel, Transport
from devices.scene import Direction, RuleKind, Severity
from runtime.language import say

CHINESE: tuple[tuple[StrEnum, tuple[str, ...]], ...] = (
    (DeviceKind.CAMERA, ("摄像头", "摄像机")),
    (DeviceKind.CALLBOX, ("呼叫盒",)),
    (DeviceKind.SENSOR, ("传感器",)),
    (SiteLevel.COUNTY, ("县", "区县", "区")),
    (SiteLevel.TOWNSHIP, ("乡镇", "乡", "镇", "街道")),
    (SiteLevel.VILLAGE, ("村", "社区")),
    (SiteLevel.GRID, ("网格",)),
    (RecordingMode.OFF, ("不录像", "不录", "关闭")),
    (RecordingMode.EVENTS, ("仅告警", "告警", "事件")),
    (RecordingMode.CONTINUOUS, ("全程", "连续", "全天")),
    (Purpose.PUBLIC_SAFETY, ("公共安全", "治安")),
    (Purpose.TRAFFIC, ("交通",)),
    (Purpose.FLOOD_WATCH, ("防汛",)),
    (Purpose.FIRE_WATCH, ("防火",)),
    (Purpose.FACILITY, ("设施",)),
    (PlaceType.ROAD_JUNCTION, ("路口",)),
    (PlaceType.ROAD, ("道路",)),
    (PlaceType.SQUARE, ("广场",)),
    (PlaceType.RIVERSIDE, ("河边", "河道")),
    (PlaceType.FOREST_EDGE, ("林缘", "林边")),
    (PlaceType.PUBLIC_BUILDING, ("公共建筑",)),
    (PlaceType.VILLAGE_ENTRANCE, ("村口",)),
    (Transport.TCP, ("TCP",)),
    (Transport.UDP, ("UDP",)),
    (Severity.INFO, ("提示",)),
    (Severity.WARNING, ("警告",)),
    (Severity.CRITICAL, ("紧急",)),
    (RuleKind.ZONE_ENTERED, ("进入区域",)),
    (RuleKind.LINE_CROSSED, ("越线",)),
    (RuleKind.LOITERING, ("徘徊逗留", "徘徊")),
    (Direction.A_TO_B, ("A 侧到 B 侧",)),
    (Direction.B_TO_A, ("B 侧到 A 侧",)),
    (Direction.BOTH, ("双向",)),
    (Crossing.ABOVE, ("高于",)),
    (Crossing.BELOW, ("低于",)),
)
"""Of each member the word that is shown, then others that people write for it."""

_BY_MEMBER: Mapping[tuple[type, str], tuple[str, ...]] = {
    (type(member), member.value): words
    for member, words in CHINESE  # a StrEnum alone would equal another's member
}

SITE = ("站点",)
"""A site is no device, so it has no member of `DeviceKind`."""


def chinese(member: StrEnum) -> tuple[str, ...]:
    """The Chinese words of a member, the shown one first."""
    return _BY_MEMBER[type(member), member.value]


def word(member: StrEnum) -> str:
    """A member for people: "road junction" or "路口"."""
    return say(zh=chinese(member)[0], en=member.value.replace("_", " "))


def spoken(kind: type[StrEnum], text: str) -> StrEnum | None:
    """The member of `kind` that `text` says in either language; None when it says none."""
    plain = text.strip().lower()
    for member in kind:
        if plain.replace(" ", "_") == member.value or plain in [each.lower() for each in chinese(member)]:
            return member
    return None


def choices(kind: type[StrEnum]) -> str:
    """All words of `kind` for a help text: "tcp | udp", in Chinese "路口 road_junction | ..."."""
    return " | ".join(
        say(
            zh=f"{chinese(member)[0]} {member.value}" if chinese(member)[0].lower() != member.value else member.value,
            en=member.value,
        )
        for member in kind
    )
