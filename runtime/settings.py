"""Settings from defaults, a TOML file, the environment (`SHARPEYES_*`) and options, each value with where it came from.

Generic over a pydantic model whose fields are flat. An unknown name or a wrong value raises `ConfigurationError`
that names the setting, its source, the problem and an example. A secret may be given as a file: `NAME_FILE=/path`.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.log import mask_url_login
from runtime.wrong_value import wrong_value

ENV_PREFIX = "SHARPEYES_"
OUTSIDE_THE_MODEL = frozenset({"SHARPEYES_LANGUAGE"})
"""Read before any settings file is, by `runtime.language`."""

MAX_SECRET_FILE_BYTES = 64 * 1024
"""Room for any key or certificate; more is the wrong file."""

MAX_SHOWN_CHARS = 120
"""Of a wrong value in an error."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Effective(Generic[M]):
    """The settings in force and where each came from ("default", "file ...", "environment", "option")."""

    values: M
    origins: Mapping[str, str]

    def rows(self) -> list[tuple[str, str, str, str]]:
        """(name, value with secrets masked, origin, description) of every setting, in the model's order."""
        return [
            (name, shown(getattr(self.values, name)), self.origins[name], info.description or "")
            for name, info in type(self.values).model_fields.items()
        ]


def shown(value: object) -> str:
    """A setting's value as people may see it."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    return "" if value is None else str(value)


def origin_word(origin: str) -> str:
    """An origin of `Effective` as people read it."""
    kind, _, file = origin.partition(" ")
    words = {"default": "默认值", "environment": "环境变量", "option": "命令行选项", "file": f"文件 {file}"}
    return say(zh=words.get(kind, origin), en=origin)


def load_settings(
    model: type[M],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, object] | None = None,
) -> Effective[M]:
    """Merge the sources, later ones winning: defaults, `file`, environment, `options` that are not None."""
    raw: dict[str, object] = {}
    origins = dict.fromkeys(model.model_fields, "default")
    if file is not None:
        _merge(model, raw, origins, _read_toml(file), f"file {file}")
    env = os.environ if environment is None else environment
    _merge(model, raw, origins, _read_environment(model, env), "environment")
    given = {name: value for name, value in (options or {}).items() if value is not None}
    _merge(model, raw, origins, given, "option")
    try:
        return Effective(model.model_validate(raw), origins)
    except ValidationError as error:
        raise ConfigurationError(_explain(model, error, origins)) from None


def _merge(
    model: type[BaseModel],
    raw: dict[str, object],
    origins: dict[str, str],
    found: Mapping[str, object],
    origin: str,
) -> None:
    for name, value in found.items():
        if name not in model.model_fields:
            shown_name = ENV_PREFIX + name.upper() if origin == "environment" else name
            hint = _suggest(model, name, origin)
            raise ConfigurationError(
                say(
                    zh=f"{shown_name}（{origin_word(origin)}）：没有这项设置。{hint}",
                    en=f"{shown_name} ({origin}): there is no such setting. {hint}",
                )
            )
        raw[name] = value
        origins[name] = origin


def _suggest(model: type[BaseModel], name: str, origin: str) -> str:
    near = difflib.get_close_matches(name, model.model_fields, n=1)
    if not near:
        return say(zh="`sharpeyes settings` 可列出全部设置", en="`sharpeyes settings` lists them all.")
    shown_name = ENV_PREFIX + near[0].upper() if origin == "environment" else near[0]
    return say(zh=f"是否应为 {shown_name}？", en=f"Did you mean {shown_name}?")


def _read_toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(
            say(zh=f"{path}：设置文件不存在", en=f"{path}: the settings file does not exist")
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            say(
                zh=f"{path}：无法作为 TOML 设置文件读取：{error}",
                en=f"{path}: cannot be read as a TOML settings file: {error}",
            )
        ) from None


def _read_environment(model: type[BaseModel], env: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    secrets: dict[str, str] = {}
    for variable, value in env.items():
        if not variable.upper().startswith(ENV_PREFIX) or variable.upper() in OUTSIDE_THE_MODEL or value == "":
            continue
        name = variable[len(ENV_PREFIX) :].lower()
        secret_name = name.removesuffix("_file")
        if name not in model.model_fields and _is_secret(model, secret_name):
            secrets[secret_name] = variable
        else:
            found[name] = value
    for name, variable in secrets.items():
        if name in found:
            other = f"{ENV_PREFIX}{name.upper()}"
            raise ConfigurationError(
                say(
                    zh=f"{variable}：同时还设置了 {other}；请只保留其中一个",
                    en=f"{variable}: {other} is set as well; give one of the two",
                )
            )
        found[name] = _read_secret_file(variable, Path(env[variable]))
    return found


def _is_secret(model: type[BaseModel], name: str) -> bool:
    info = model.model_fields.get(name)
    return info is not None and "SecretStr" in str(info.annotation)


def _read_secret_file(variable: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_FILE_BYTES + 1)
        secret = content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        not_text = say(zh="不是 UTF-8 文本", en="not UTF-8 text")
        reason = error.strerror or type(error).__name__ if isinstance(error, OSError) else not_text
        raise _bad_secret_file(variable, path, reason) from None
    if len(content) > MAX_SECRET_FILE_BYTES:
        limit = MAX_SECRET_FILE_BYTES
        raise _bad_secret_file(variable, path, say(zh=f"超过 {limit} 字节", en=f"larger than {limit} bytes"))
    if not secret:
        raise _bad_secret_file(variable, path, say(zh="文件是空的", en="the file is empty"))
    return secret


def _bad_secret_file(variable: str, path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        say(
            zh=f"{variable}：无法读取密钥文件 {path}：{reason}",
            en=f"{variable}: cannot read the secret file {path}: {reason}",
        )
    )


def _explain(model: type[BaseModel], error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_input=True, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else say(zh="设置", en="settings")
        why = wrong_value(problem)
        info = model.model_fields.get(name)
        given = "***" if _is_secret(model, name) else mask_url_login(repr(problem.get("input")))[:MAX_SHOWN_CHARS]
        origin = origins.get(name, "default")
        if info is None:
            lines.append(say(zh=f"{name}：{why}", en=f"{name}: {why}"))
        else:
            lines.append(
                say(
                    zh=f"{name}（{origin_word(origin)}）：{given}：{why}。{_example(info)}",
                    en=f"{name} ({origin}): {given}: {why}. {_example(info)}".rstrip(),
                )
            )
    return "\n".join(lines)


def _example(info: FieldInfo) -> str:
    default: Any = info.get_default(call_default_factory=False)
    example = info.examples[0] if info.examples else default
    return say(zh=f"例如 {example}", en=f"Example: {example}") if example not in (None, "") else ""
