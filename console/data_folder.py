"""The data folder of a machine: proved to be writable, and guarded against a second start of the same part on it.

What must not start twice on one folder (a ledger has one writer) holds a lock file. Calls block on the disk, shortly.
Raises ConfigurationError, which says what to do.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.os_reason import os_reason


def prepare_data_folder(data: Path) -> None:
    """Make the folder if needed and prove that it can be written; ConfigurationError otherwise.

    A folder made here is its owner's alone, for it holds the key, logins and pictures; the mode of one that is there
    is its owner's choice.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        proof = data / f".writable-{os.getpid()}"
        proof.write_bytes(b"")
        proof.unlink()
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"data：目录 {data} 无法写入：{os_reason(error)}。请用 --data 指定一个可写的目录",
                en=f"data: the folder {data} cannot be written: {os_reason(error)}. Choose a writable one with --data",
            )
        ) from None


@contextmanager
def lock_part(data: Path, part: str) -> Iterator[None]:
    """Hold `<data>/<part>.lock`; ConfigurationError when another process holds it."""
    with _open_lock(data / f"{part}.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                say(
                    zh=f"目录 {data} 上已有一个 {part} 在运行。请先停止它，或用 --data 指定另一个目录",
                    en=f"a {part} already runs on the folder {data}. Stop it, or choose another one with --data",
                )
            ) from None
        yield


def _open_lock(path: Path) -> TextIO:
    try:
        return path.open("a")
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"data：文件 {path} 无法写入：{os_reason(error)}。可能曾由其他用户运行过；请让当前用户拥有该目录",
                en=f"data: {path} cannot be written: {os_reason(error)}. Another user may have run it before: make the "
                "folder belong to this user",
            )
        ) from None
