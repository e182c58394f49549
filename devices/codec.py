"""Plain JSON-able values <-> frozen dataclasses, by tables of fields instead of code for each type.

A `Codec` reads one value strictly (no unknown key, no wrong type, no NaN, no oversized list) and writes it back.
Reading raises `FieldError` with the path of the value; it never blocks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar

from devices.validation import FieldError, join_path, shown
from runtime.language import say

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MAX_TEXT_CHARS = 4096
"""No field of the registry is longer; each field's own bound is tighter."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How one value is read from, and written to, its plain form. `read(value, path)` raises FieldError."""

    read: Callable[[object, str], T]
    write: Callable[[T], object]


def _same(value: T) -> T:
    return value


def wrong_type(path: str, value: object, zh: str, en: str) -> FieldError:
    """The error for a value of another type than `zh`/`en` name."""
    found = shown(value) if isinstance(value, str) else type(value).__name__
    return FieldError(path, say(zh=f"须为{zh}，而不是 {found}", en=f"must be {en}, not {found}"))


def _read_text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(path, value, "文字", "text")
    if len(value) > MAX_TEXT_CHARS:
        raise FieldError(
            path, say(zh=f"超过 {MAX_TEXT_CHARS} 个字符", en=f"is longer than {MAX_TEXT_CHARS} characters")
        )
    return value


def _read_number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(path, value, "数字", "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise FieldError(path, say(zh="须为有限的数字", en="must be a finite number"))
    return number


def _read_flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(path, value, " true 或 false", "true or false")
    return value


text: Codec[str] = Codec(_read_text, _same)
number: Codec[float] = Codec(_read_number, _same)
flag: Codec[bool] = Codec(_read_flag, _same)


def choice(kind: type[E]) -> Codec[E]:
    """One of an enumeration's words."""

    def read(value: object, path: str) -> E:
        words = [member.value for member in kind]
        if not isinstance(value, str) or value not in words:
            raise wrong_type(path, value, " " + "、".join(words) + " 之一", "one of " + ", ".join(words))
        return kind(value)

    return Codec(read, lambda member: member.value)


def optional(inner: Codec[T]) -> Codec[T | None]:
    """The inner value, or null."""
    return Codec(
        lambda value, path: None if value is None else inner.read(value, path),
        lambda value: None if value is None else inner.write(value),
    )


def listed(inner: Codec[T], most: int) -> Codec[tuple[T, ...]]:
    """A list of at most `most` values; counted before any of them is looked at."""

    def read(value: object, path: str) -> tuple[T, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise wrong_type(path, value, "列表", "a list")
        if len(value) > most:
            raise FieldError(
                path,
                say(
                    zh=f"有 {len(value)} 项；最多 {most} 项", en=f"has {len(value)} entries; at most {most} are allowed"
                ),
            )
        return tuple(inner.read(item, f"{path}[{index}]") for index, item in enumerate(value))

    return Codec(read, lambda items: [inner.write(item) for item in items])


def word_set(inner: Codec[T], most: int) -> Codec[frozenset[T]]:
    """A list of different values whose order means nothing; written sorted, so that equal sets look equal."""
    words = listed(inner, most)

    def read(value: object, path: str) -> frozenset[T]:
        items = words.read(value, path)
        if len(set(items)) != len(items):
            raise FieldError(path, say(zh="有重复的项", en="has an entry twice"))
        return frozenset(items)

    def write(items: frozenset[T]) -> object:
        return [inner.write(item) for item in sorted(items)]  # type: ignore[type-var]  # words and weekday numbers

    return Codec(read, write)


def record(kind: type[T], table: Mapping[str, tuple[str, Codec[Any]]]) -> Codec[T]:
    """A mapping read into dataclass `kind`: key -> (attribute, codec); attributes with a default may be left out."""
    required = {
        field.name
        for field in fields(kind)  # type: ignore[arg-type]  # typing has no bound for "any dataclass"
        if field.default is MISSING and field.default_factory is MISSING
    }

    def read(value: object, path: str) -> T:
        if not isinstance(value, Mapping):
            raise wrong_type(path, value, "键值对", "a mapping")
        _refuse_unknown(value, table, path)
        found: dict[str, Any] = {}
        for key, (attribute, codec) in table.items():
            if key in value:
                found[attribute] = codec.read(value[key], join_path(path, key))
            elif attribute in required:
                raise FieldError(join_path(path, key), say(zh="缺少此项", en="is missing"))
        try:
            return kind(**found)
        except FieldError as error:
            raise error.under(path) from None

    def write(item: T) -> object:
        return {key: codec.write(getattr(item, attribute)) for key, (attribute, codec) in table.items()}

    return Codec(read, write)


def _refuse_unknown(value: Mapping[Any, Any], table: Mapping[str, object], path: str) -> None:
    for key in value:
        if key not in table:
            name = key if isinstance(key, str) else type(key).__name__
            raise FieldError(
                path,
                say(
                    zh=f"不认识的项 {shown(name)}；可用的有 {'、'.join(table)}",
                    en=f"unknown key {shown(name)}; known are {', '.join(table)}",
                ),
            )


def same_names(table: Mapping[str, Codec[Any]]) -> dict[str, tuple[str, Codec[Any]]]:
    """A `record` table whose keys are the attributes' own names."""
    return {name: (name, codec) for name, codec in table.items()}
