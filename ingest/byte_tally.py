"""How many bytes things have, by name, with a running total: no call walks over them. No thread of its own, no lock."""


class ByteTally:
    """Sizes by name; what is not there has none."""

    def __init__(self) -> None:
        self._sizes_bytes: dict[str, int] = {}
        self.total_bytes = 0

    def put(self, name: str, size_bytes: int) -> None:
        """`name` has this size now."""
        self.total_bytes += size_bytes - self._sizes_bytes.get(name, 0)
        self._sizes_bytes[name] = size_bytes

    def grow(self, name: str, more_bytes: int) -> None:
        """`name` has this much more."""
        self.put(name, self._sizes_bytes.get(name, 0) + more_bytes)

    def drop(self, name: str) -> None:
        """`name` is gone."""
        self.total_bytes -= self._sizes_bytes.pop(name, 0)
