"""What this machine's processor can do, and which shipped detector that makes the default. Reads /proc/cpuinfo once."""

from functools import lru_cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
MAX_CPUINFO_BYTES = 4 << 20
"""A machine of a thousand cores lists about two megabytes."""

INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "asimddp"})
"""Instructions that sum products of 8-bit numbers in 32 bits: AVX512-VNNI, AVX-VNNI, and ARM's dot product."""

INT8_MODEL = "nanodet-g-int8"
FLOAT_MODEL = "nanodet-g"


@lru_cache(maxsize=1)
def default_model() -> str:
    """The name of the detector to use unless a setting or a camera names one."""
    return choose_model(processor_flags())


def choose_model(flags: frozenset[str]) -> str:
    """8 bits only where the processor sums them exactly: elsewhere the sums saturate at 16 bits and boxes change."""
    return INT8_MODEL if flags & INT8_FLAGS else FLOAT_MODEL


def processor_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The feature flags of the first processor; none where the system does not list them."""
    try:
        with cpuinfo.open("rb") as file:
            lines = file.read(MAX_CPUINFO_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, flags = line.partition(":")
        if key.strip() in {"flags", "Features"}:
            return frozenset(flags.split())
    return frozenset()
