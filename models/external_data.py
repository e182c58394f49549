"""Whether an ONNX file keeps tensors in further files, which its SHA-256 does not cover.

Pure; reads protobuf's wire form. Field numbers are those of onnx.proto. What cannot be followed raises
ValueError: a network that is not understood here might be understood otherwise by the runtime.
"""

from collections.abc import Iterator, Mapping

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_DATA_LOCATION = 14
"""Of TensorProto; anything but zero means that the tensor is elsewhere."""

_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message -> field number -> the message in it, as far as a tensor can be below."""


def has_external_data(raw: bytes) -> bool:
    """Whether any tensor of the model is outside of `raw`."""
    waiting = [("model", memoryview(raw))]
    while waiting:
        message, content = waiting.pop()
        inside = _INSIDE[message]
        for number, value in _fields(content):
            if isinstance(value, int):
                if message == "tensor" and number == _DATA_LOCATION and value != 0:
                    return True
            elif number in inside:
                waiting.append((inside[number], value))
    return False


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field that is a varint or a run of bytes."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, form = key >> 3, key & 7
        if form == _VARINT:
            value, at = _varint(content, at)
            yield number, value
            continue
        if form == _BYTES:
            size, at = _varint(content, at)
        elif form in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if form == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"field {number} has the unknown form {form}")
        if size > len(content) - at:
            raise ValueError(f"field {number} is cut off")
        if form == _BYTES:
            yield number, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends: at most ten bytes of seven bits, lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise ValueError("a number is cut off")
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
