"""The machine a table was measured on, in a few lines."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from models.processor import INT8_FLAGS, default_model, processor_flags
from tests.servers.cache import KAFKA_VERSION

PACKAGES = ("sharpeyes", "av", "onnxruntime", "opencv-python-headless", "numpy", "aiokafka", "paho-mqtt")


def describe() -> list[tuple[str, str]]:
    """Name and value of all that a reader needs to judge the figures."""
    exact = sorted(processor_flags() & INT8_FLAGS)
    return [
        ("processor", f"{_cpu_name()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB"),
        ("8-bit dot products", ", ".join(exact) if exact else "none (no VNNI)"),
        ("default detector", default_model()),
        ("system", f"{platform.system()} {platform.release()}, Python {platform.python_version()}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        (
            "servers",
            f"Apache Kafka {KAFKA_VERSION}, {_first_line('mosquitto', '-h')}, {_first_line('ffmpeg', '-version')}",
        ),
    ]


def load_average() -> str:
    """Of the last 1, 5 and 15 minutes: what else the machine did."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _first_line(program: str, option: str) -> str:
    try:
        said = subprocess.run([program, option], capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return f"no {program}"
    words = (said.stdout or said.stderr).splitlines()[:1]
    return " ".join(words[0].split()[:3]) if words else program
