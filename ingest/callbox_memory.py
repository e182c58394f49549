"""What a call box keeps over a power cut: its boot id, its last press's number, presses nobody has acknowledged.

One small JSON file, replaced whole. Raises `ConfigurationError` when the file cannot be read or written.
"""

import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from alerts.call import BoxKey
from ingest.durable_file import make_directories, write_whole
from runtime.errors import ConfigurationError
from runtime.language import say
from runtime.os_reason import os_reason

MAX_WAITING = 100
"""Presses kept for a bridge that is away; the oldest give way, as on a box with little memory."""


class Press(msgspec.Struct, frozen=True):
    """One press as it goes over MQTT."""

    boot: str
    seq: int
    key: BoxKey
    t_ms: int


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    boot: str
    seq: Annotated[int, Meta(ge=0)] = 0
    waiting: list[Press] = []
    ended_call: str | None = None


class CallBoxMemory:
    """`path` is made when it does not exist, with a boot id of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = self._read() or _Kept(boot=secrets.token_hex(6))

    @property
    def waiting(self) -> tuple[Press, ...]:
        """Presses without `ack`, oldest first."""
        return tuple(self._kept.waiting)

    @property
    def ended_call(self) -> str | None:
        """The call that was last heard to be closed."""
        return self._kept.ended_call

    def press(self, key: BoxKey, now_ms: int) -> Press:
        """A new press, kept until it is acknowledged."""
        self._kept.seq += 1
        press = Press(self._kept.boot, self._kept.seq, key, now_ms)
        self._kept.waiting = [*self._kept.waiting, press][-MAX_WAITING:]
        self._save()
        return press

    def acknowledged(self, boot: object, seq: object) -> None:
        """Forget a press that is safe; one that is not known changes nothing."""
        left = [press for press in self._kept.waiting if (press.boot, press.seq) != (boot, seq)]
        if len(left) != len(self._kept.waiting):
            self._kept.waiting = left
            self._save()

    def call_ended(self, call_id: str) -> None:
        """Remember that this call is closed."""
        if call_id != self._kept.ended_call:
            self._kept.ended_call = call_id
            self._save()

    def _read(self) -> _Kept | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise ConfigurationError(
                say(
                    zh=f"{self._path}：模拟呼叫盒的记录无法读取（{error}）。删除该文件即可重新开始",
                    en=f"{self._path}: the simulated call box has an unreadable memory ({error}). Delete it",
                )
            ) from None

    def _save(self) -> None:
        try:
            make_directories(self._path.parent)
            write_whole(self._path, msgspec.json.encode(self._kept))
        except OSError as error:
            raise ConfigurationError(
                say(
                    zh=f"{self._path}：无法写入（{os_reason(error)}）。请用 --data 指定一个可写的目录",
                    en=f"{self._path}: cannot be written: {os_reason(error)}. Choose a writable folder with --data",
                )
            ) from None
