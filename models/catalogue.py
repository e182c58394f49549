"""The catalogue: which detectors there are, what their files must hold, and which classes they report from which score.

In: the shipped catalogue.toml and, by the setting `model_catalogue`, a further file of the same form whose paths are
relative to itself. Out: a `Catalogue`. Read once at start; raises ConfigurationError naming file, entry and field.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from models.class_sets import CLASS_SETS
from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.wrong_value import wrong_value

SHIPPED = Path(__file__).with_name("catalogue.toml")

MAX_CATALOGUE_BYTES = 1 << 20
"""A catalogue is written by hand; one of a megabyte is a mistake."""

MAX_CLASSES = 4096
GRID_PX = 32
"""The coarsest grid of NanoDet and YOLOX: each cell of it must be whole."""

MAX_INPUT_PX = 2048
"""A side above this costs seconds a picture on any processor this runs on."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ClassName = Annotated[str, Field(min_length=1, max_length=64)]
Score = Annotated[float, Field(gt=0.0, lt=1.0)]
SidePx = Annotated[int, Field(ge=32, le=MAX_INPUT_PX)]


class DecoderKind(StrEnum):
    NANODET = "nanodet"
    YOLOX = "yolox"
    BOXES_SCORES_LABELS = "boxes_scores_labels"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputForm(_Strict):
    """The picture a network wants.

    `width_px` x `height_px` is the input it was measured at. With `multiple_px` the network takes any sides that are
    multiples of it, and the input follows the picture's aspect at about the same area; without, the size is fixed.
    `fit` says how a picture of another aspect fills the input: stretched, or top left on grey.
    """

    width_px: SidePx
    height_px: SidePx
    multiple_px: Annotated[int, Field(ge=1, le=256)] | None = None
    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["bgr", "rgb"] = "bgr"
    full_scale: Literal[1, 255] = 255
    fit: Literal["stretch", "letterbox"] = "stretch"

    @model_validator(mode="after")
    def _sides_fit_the_multiple(self) -> Self:
        if self.multiple_px and (self.width_px % self.multiple_px or self.height_px % self.multiple_px):
            raise ValueError(
                say(
                    zh=f"width_px 和 height_px 须为 multiple_px（{self.multiple_px}）的整数倍",
                    en=f"width_px and height_px must be multiples of multiple_px ({self.multiple_px})",
                )
            )
        return self


class ModelEntry(_Strict):
    """One detector. `classes` are the names by class id; those with a threshold are reported, from that score on."""

    name: Name
    file: Path
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=500)]
    decoder: DecoderKind
    input: InputForm
    classes: Annotated[tuple[ClassName, ...], Field(min_length=1, max_length=MAX_CLASSES)]
    thresholds: Annotated[dict[ClassName, Score], Field(min_length=1)]
    nms_iou: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    box_unit: Literal["pixels", "fractions"] = "pixels"

    @field_validator("classes", mode="before")
    @classmethod
    def _known_set(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        if given not in CLASS_SETS:
            sets = ", ".join(CLASS_SETS)
            raise ValueError(
                say(
                    zh=f"没有名为 {given!r} 的类别集；可用 {sets}，或逐个列出类别",
                    en=f"no class set is called {given!r}; there is {sets}, or list the names",
                )
            )
        return CLASS_SETS[given]

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if repeated := {name for name in self.classes if self.classes.count(name) > 1}:
            raise ValueError(
                say(zh=f"classes 中 {sorted(repeated)} 重复", en=f"classes holds {sorted(repeated)} more than once")
            )
        if unknown := set(self.thresholds) - set(self.classes):
            raise ValueError(
                say(
                    zh=f"thresholds 中的 {sorted(unknown)} 不在 classes 之中",
                    en=f"thresholds names {sorted(unknown)}, which classes does not hold",
                )
            )
        if self.decoder is not DecoderKind.BOXES_SCORES_LABELS:
            self._check_grid_decoder()
        return self

    def _check_grid_decoder(self) -> None:
        if self.nms_iou is None:
            raise ValueError(
                say(
                    zh=f"缺少 nms_iou：{self.decoder.value} 解码需要它，例如 0.6",
                    en=f"nms_iou is missing: the {self.decoder.value} decoder needs it, 0.6 for example",
                )
            )
        form = self.input
        sides_px = (form.multiple_px,) if form.multiple_px else (form.width_px, form.height_px)
        if any(side_px % GRID_PX for side_px in sides_px):
            raise ValueError(
                say(
                    zh=f"{self.decoder.value} 解码要求边长为 {GRID_PX} 像素的整数倍",
                    en=f"the {self.decoder.value} decoder needs sides that are multiples of {GRID_PX} pixels",
                )
            )


class Catalogue:
    """The detectors by name."""

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        self._entries: Mapping[str, ModelEntry] = {entry.name: entry for entry in entries}

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def entry(self, name: str) -> ModelEntry:
        """The detector called `name`; raises ConfigurationError listing those there are."""
        try:
            return self._entries[name]
        except KeyError:
            raise ConfigurationError(
                say(
                    zh=f"model：模型目录中没有 {name!r}；可用 {', '.join(self._entries)}",
                    en=f"model: there is no {name!r} in the catalogue; there are {', '.join(self._entries)}",
                )
            ) from None


class _CatalogueFile(_Strict):
    model: tuple[ModelEntry, ...] = ()


def load_catalogue(further: Path | None = None) -> Catalogue:
    """The shipped detectors and those of the file `further`; a name may stand only once in both."""
    entries = list(_read(SHIPPED))
    if further is not None:
        entries += _read(further)
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            raise ConfigurationError(
                say(
                    zh=f"model_catalogue：{further}：名称 {entry.name!r} 已被使用；请换一个",
                    en=f"model_catalogue: {further}: the name {entry.name!r} is already taken; choose another",
                )
            )
        seen.add(entry.name)
    return Catalogue(entries)


def _read(path: Path) -> tuple[ModelEntry, ...]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CATALOGUE_BYTES + 1)
        if len(raw) > MAX_CATALOGUE_BYTES:
            raise _refused(
                path,
                say(zh=f"超过 {MAX_CATALOGUE_BYTES} 字节", en=f"larger than {MAX_CATALOGUE_BYTES} bytes"),
            )
        tables = tomllib.loads(raw.decode("utf-8"))
    except FileNotFoundError:
        raise _refused(path, say(zh="没有这个文件", en="there is no such file")) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(
            path, say(zh=f"无法作为 TOML 文件读取：{error}", en=f"cannot be read as a TOML file: {error}")
        ) from None
    try:
        parsed = _CatalogueFile.model_validate(tables)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, tables, error)) from None
    return tuple(entry.model_copy(update={"file": path.parent / entry.file}) for entry in parsed.model)


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(say(zh=f"model_catalogue：{path}：{why}", en=f"model_catalogue: {path}: {why}"))


def _explain(path: Path, tables: Mapping[str, object], error: ValidationError) -> str:
    """One line for each problem: file, entry by name, field, what is wrong with the value given."""
    lines = []
    for problem in error.errors(include_url=False):
        where = [str(part) for part in problem["loc"]]
        entries = tables.get("model")
        if where[:1] == ["model"] and len(where) > 1 and isinstance(entries, list) and where[1].isdigit():
            entry = entries[int(where[1])]
            name = entry.get("name") if isinstance(entry, dict) else None
            number = int(where[1]) + 1
            unnamed = say(zh=f"第 {number} 个 model", en=f"model number {number}")
            where = [f"model {name!r}" if name else unnamed, *where[2:]]
        lines.append(str(_refused(path, _why(problem, where))))
    return "\n".join(lines)


def _why(problem: ErrorDetails, where: Sequence[str]) -> str:
    why = wrong_value(problem)
    if problem["type"] not in {"missing", "value_error"}:
        given = f"{problem['input']!r:.120}"
        why += say(zh=f"（现为 {given}）", en=f" (given {given})")
    return say(zh=f"{'：'.join(where)}：{why}", en=f"{': '.join(where)}: {why}")
