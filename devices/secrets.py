"""Camera passwords at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA256) under the keys of one file.

One key a line, the first encrypts, all decrypt: to rotate, put the new key on top. Reads (and once creates) the
file when opened; raises `ConfigurationError` when the file or the key is wrong. Nothing here prints a secret.
"""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.log import get_logger
from runtime.os_reason import os_reason

KEY_FILE_NAME = "secret.key"
MAX_KEY_FILE_BYTES = 16 * 1024
"""Room for hundreds of keys; a larger file is something else."""

_log = get_logger(__name__)


class SecretBox:
    """Encrypts and decrypts short texts; knows its key file's path for its error messages."""

    def __init__(self, keys: MultiFernet, source: Path) -> None:
        self._keys = keys
        self._source = source

    def __repr__(self) -> str:
        return f"SecretBox({str(self._source)!r})"

    def seal(self, text: str) -> str:
        """`text` encrypted under the first key."""
        return self._keys.encrypt(text.encode("utf-8")).decode("ascii")

    def unseal(self, sealed: str, owner: str) -> str:
        """The text back; ConfigurationError, naming `owner` ("camera gate-1"), when no key of the file fits."""
        try:
            return self._keys.decrypt(sealed.encode("utf-8")).decode("utf-8")
        except InvalidToken:
            raise ConfigurationError(
                say(
                    zh=f"{owner} 的密码不是用 {self._source} 中的密钥加密的。请恢复原来的密钥文件，"
                    "或把原密钥作为新的一行加到该文件末尾，或重新登记该设备的密码",
                    en=f"the login of {owner} was not encrypted with a key of {self._source}. Put the old key file "
                    "back, or add the old key as another line at its end, or register the device's login again",
                )
            ) from None


def open_secret_box(key_file: Path | None, data: Path) -> SecretBox:
    """The box of `key_file`, which must exist, or of `<data>/secret.key`, made with mode 0600 if there is none."""
    path = key_file if key_file is not None else data / KEY_FILE_NAME
    if key_file is None and not path.exists():
        _create_key_file(path)
    return SecretBox(_read_keys(path), path)


def _create_key_file(path: Path) -> None:
    """Appears at once and whole, whoever else creates it: written beside its place (mode 0600), then linked there."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(Fernet.generate_key() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            os.unlink(draft)
    except OSError as error:
        raise _unusable(path, os_reason(error)) from None


def _read_keys(path: Path) -> MultiFernet:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_KEY_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unusable(path, _how_to_make(path)) from None
    except OSError as error:
        raise _unusable(path, os_reason(error)) from None
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    if not lines or len(content) > MAX_KEY_FILE_BYTES:
        raise _unusable(path, _how_to_make(path))
    try:
        keys = MultiFernet([Fernet(line) for line in lines])
    except ValueError:
        raise _unusable(path, _how_to_make(path)) from None
    if mode & stat.S_IROTH:
        _log.warning("anyone on this machine can read the key file; run chmod o-r on it", path=str(path))
    return keys


def _how_to_make(path: Path) -> str:
    command = f"openssl rand -base64 32 | tr '+/' '-_' > {path}"
    return say(
        zh=f"须存在并且每行是一个 32 字节的 base64 密钥；可用此命令生成：{command}",
        en=f"it must exist and hold one base64 key of 32 bytes a line; make one with: {command}",
    )


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(say(zh=f"key_file：密钥文件 {path} 不能用：{reason}", en=f"key_file: {path}: {reason}"))
