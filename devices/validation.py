"""The bounds of registry fields: what each check lets pass and the words it refuses the rest with.

Pure functions on plain values; every one raises `FieldError`, an InvalidInputError that knows the field's path,
so that a document's reader can put the outer path before it and an import can name the column.
"""

import ipaddress
import math
import re
from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runtime.errors import InvalidInputError
from runtime.language import say

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Ids stand in MQTT topics, Kafka keys and object keys: no slash, dot, space or wildcard."""

METRIC_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""A metric is compared with what a device sends, letter by letter: one spelling only."""

HOST_PORT_PATTERN = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|[^\s:\[\]@\\]{1,253})(?::(?P<port>[0-9]{1,5}))?")

MAX_NAME_CHARS = 200
MAX_URL_CHARS = 2048
"""Longer than any camera's path with its query; it stands in a request line, which cameras bound too."""

MIN_POLYGON_AREA = 1e-6
"""About one pixel of 1920x1080 is 5e-7 of the picture: a zone below two pixels is a slip of the hand."""

SHOWN_CHARS = 80
"""How much of a refused value an error repeats: enough to find it, too little to flood a terminal."""


class FieldError(InvalidInputError):
    """One field breaks its bounds. `path` says which ("zones[2].polygon[0]"), `reason` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason

    def under(self, outer: str) -> "FieldError":
        """The same error seen from the document that holds this one at `outer`."""
        return FieldError(join_path(outer, self.path), self.reason)


def join_path(outer: str, inner: str) -> str:
    """ "zones[2]" and "name" give "zones[2].name"; either may be empty."""
    if not outer or not inner or inner.startswith("["):
        return outer + inner
    return f"{outer}.{inner}"


def shown(value: str) -> str:
    """A refused text as an error may repeat it: bounded, control characters escaped."""
    return repr(value if len(value) <= SHOWN_CHARS else value[:SHOWN_CHARS] + "…")


def check_id(value: str, path: str) -> None:
    """Raise FieldError unless `value` can be a device or site id."""
    if not ID_PATTERN.fullmatch(value):
        raise FieldError(
            path,
            say(
                zh=f"{shown(value)} 不能用作编号；请用 1 至 64 个 A-Z a-z 0-9 - _，以字母或数字开头",
                en=f"{shown(value)} is not an id; use 1 to 64 of A-Z a-z 0-9 - _, first a letter or digit",
            ),
        )


def check_name(value: str, path: str, max_chars: int = MAX_NAME_CHARS) -> None:
    """Raise FieldError unless `value` is a printable name of bounded length."""
    if not value.strip() or len(value) > max_chars or not value.isprintable():
        raise FieldError(
            path,
            say(
                zh=f"须为 1 至 {max_chars} 个可显示的字符",
                en=f"must be 1 to {max_chars} printable characters",
            ),
        )


def check_metric(value: str, path: str) -> None:
    """Raise FieldError unless `value` is a metric such as water_level."""
    if not METRIC_PATTERN.fullmatch(value):
        raise FieldError(
            path,
            say(
                zh=f"{shown(value)} 不是指标名；请用小写字母、数字和 _，例如 water_level",
                en=f"{shown(value)} is not a metric; use a-z 0-9 _, such as water_level",
            ),
        )


def check_number(value: float, path: str, low: float, high: float, *, above: bool = False) -> None:
    """Raise FieldError unless low <= value <= high (low < value when `above`); NaN and infinities never pass."""
    if not math.isfinite(value):
        raise FieldError(path, say(zh="须为有限的数字", en="must be a finite number"))
    if low <= value <= high and not (above and value == low):
        return
    floor = say(
        zh=f"大于 {low:g}" if above else f"不小于 {low:g}", en=f"above {low:g}" if above else f"at least {low:g}"
    )
    raise FieldError(
        path,
        say(
            zh=f"{value:g} 超出范围；须{floor}且不大于 {high:g}",
            en=f"{value:g} is out of range; it must be {floor} and at most {high:g}",
        ),
    )


def check_count(items: Collection[object], path: str, low: int, high: int) -> None:
    """Raise FieldError unless there are `low` to `high` items."""
    if not low <= len(items) <= high:
        raise FieldError(
            path,
            say(
                zh=f"有 {len(items)} 项；须为 {low} 至 {high} 项",
                en=f"has {len(items)} entries; {low} to {high} are allowed",
            ),
        )


def check_unique(names: Sequence[str], path: str) -> None:
    """Raise FieldError when a name stands twice; the error's path is that of the second."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise FieldError(
                f"{path}[{index}].name",
                say(
                    zh=f"名称 {shown(name)} 已用过；名称不得重复",
                    en=f"the name {shown(name)} is taken; names must differ",
                ),
            )
        seen.add(name)


def check_fraction_point(point: tuple[float, float], path: str) -> None:
    """Raise FieldError unless both coordinates are fractions of the picture."""
    for value in point:
        check_number(value, path, 0.0, 1.0)


def check_polygon(points: Sequence[tuple[float, float]], path: str, max_points: int) -> None:
    """Raise FieldError unless these are 3 to `max_points` points in 0..1 that enclose an area (shoelace formula)."""
    check_count(points, path, 3, max_points)
    for index, point in enumerate(points):
        check_fraction_point(point, f"{path}[{index}]")
    twice_area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, (*points[1:], points[0]), strict=True))
    if abs(twice_area) / 2 < MIN_POLYGON_AREA:
        raise FieldError(
            path,
            say(
                zh="各点没有围出面积；请沿区域边缘依次给出各点",
                en="the points enclose no area; give the corners in order around the zone",
            ),
        )


def check_timezone(value: str, path: str) -> None:
    """Raise FieldError unless the time zone database knows `value`."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FieldError(
            path,
            say(
                zh=f"没有时区 {shown(value)}；请写 Asia/Shanghai 这样的名称",
                en=f"there is no time zone {shown(value)}; write a name such as Asia/Shanghai",
            ),
        ) from None


def check_stream_url(value: str, path: str) -> None:
    """Raise FieldError unless `value` is rtsp:// or rtsps:// with a host and without a login.

    The error never repeats the URL: what is wrong with it may be part of a password.
    """
    reason = _stream_url_problem(value)
    if reason is not None:
        raise FieldError(path, reason)


def _stream_url_problem(value: str) -> str | None:
    if len(value) > MAX_URL_CHARS or not value.isprintable() or " " in value:
        return say(
            zh=f"地址须少于 {MAX_URL_CHARS} 个字符，不含空格和控制字符",
            en=f"the URL must be at most {MAX_URL_CHARS} characters without spaces or control characters",
        )
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.lower() not in {"rtsp", "rtsps"}:
        return say(
            zh="须以 rtsp:// 或 rtsps:// 开头，例如 rtsp://192.168.1.64/Streaming/Channels/101",
            en="must begin with rtsp:// or rtsps://, for example rtsp://192.168.1.64/Streaming/Channels/101",
        )
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return say(
            zh="地址中不得有用户名和密码；请另外给出",
            en="the URL must not hold a login; give user name and password separately",
        )
    if not _names_host(authority):
        return say(
            zh="地址中的主机或端口不对；密码里的 / ? # 须写成 %2F %3F %23",
            en="the host or port of the URL is wrong; in a password write / ? # as %2F %3F %23",
        )
    return None


def _names_host(authority: str) -> bool:
    match = HOST_PORT_PATTERN.fullmatch(authority)
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65536):
        return False
    if match["v6"] is None:
        return True
    try:
        return ipaddress.ip_address(match["v6"]).version == 6
    except ValueError:
        return False
