"""What /healthz and /readyz answer: named parts, each well or not, and why. Written and read from any thread."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartHealth:
    """`well` False means degraded; `required` parts that are not well make the role not ready."""

    well: bool
    reason: str = ""
    required: bool = False


class Health:
    """The parts of one role."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[str, PartHealth] = {}

    def well(self, part: str, *, required: bool = False) -> None:
        """Say that `part` works."""
        with self._lock:
            self._parts[part] = PartHealth(True, "", required)

    def unwell(self, part: str, reason: str, *, required: bool = False) -> None:
        """Say that `part` does not work, and why, in words that hold no secret."""
        with self._lock:
            self._parts[part] = PartHealth(False, reason, required)

    def drop(self, part: str) -> None:
        """Forget `part`: it is no longer there."""
        with self._lock:
            self._parts.pop(part, None)

    def parts(self) -> Mapping[str, PartHealth]:
        with self._lock:
            return dict(self._parts)

    def is_ready(self) -> bool:
        return all(part.well for part in self.parts().values() if part.required)
