"""From a catalogue entry to a network: the file is read once, its hash compared, and those same bytes are loaded.

Blocks for the reading and the building of the session (tens of milliseconds). Raises ConfigurationError that names the
model, its file and what to do: the file is missing, too large, not the one of the entry, not ONNX, or of another form.
"""

import hashlib
from pathlib import Path

import numpy as np

from models.catalogue import ModelEntry
from models.decoders import Decoder, decoder_for
from models.network import Network
from runtime.errors import ConfigurationError
from runtime.language import say

MAX_MODEL_BYTES = 1 << 30
"""A detector that runs on a processor has a few megabytes; a file of a gigabyte is not one and would fill memory."""


def load_network(entry: ModelEntry) -> tuple[Network, Decoder]:
    """The verified network of `entry` and the decoder that has been tried on its outputs."""
    network = Network(entry.name, read_verified(entry))
    _check_input(entry, network)
    decoder = decoder_for(entry, network.output_names)
    width_px, height_px = entry.input.width_px, entry.input.height_px
    shape = (1, 3, height_px, width_px) if entry.input.layout == "nchw" else (1, height_px, width_px, 3)
    outputs = network.run(np.zeros(shape, np.float32))
    decoder.check(outputs, width_px, height_px)
    return network, decoder


def read_verified(entry: ModelEntry) -> bytes:
    """The bytes of the entry's file, once they have the entry's SHA-256."""
    raw = _read(entry.name, entry.file)
    found = hashlib.sha256(raw).hexdigest()
    if found != entry.sha256:
        raise ConfigurationError(
            say(
                zh=f"模型 {entry.name}：{entry.file} 不是模型目录所指的文件：它的 SHA-256 是 {found}，"
                f"目录中写的是 {entry.sha256}。请重新获取该文件；如果信任该文件，请改正目录",
                en=f"model {entry.name}: {entry.file} is not the file the catalogue means: its SHA-256 is {found}, "
                f"the entry says {entry.sha256}. Fetch the file again, or correct the entry if you trust the file",
            )
        )
    return raw


def _read(name: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_MODEL_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(
            say(
                zh=f"模型 {name}：{path}：没有这个文件；请获取该文件，或改正模型目录",
                en=f"model {name}: {path}: there is no such file; fetch it or correct the entry",
            )
        ) from None
    except OSError as error:
        raise ConfigurationError(
            say(
                zh=f"模型 {name}：{path}：无法读取：{error.strerror}",
                en=f"model {name}: {path}: cannot be read: {error.strerror}",
            )
        ) from None
    if len(raw) > MAX_MODEL_BYTES:
        raise ConfigurationError(
            say(
                zh=f"模型 {name}：{path}：超过 {MAX_MODEL_BYTES} 字节，不是检测模型",
                en=f"model {name}: {path}: larger than {MAX_MODEL_BYTES} bytes, so not a detector",
            )
        )
    return raw


def _check_input(entry: ModelEntry, network: Network) -> None:
    form, shape = entry.input, network.input_shape
    wanted = (1, 3, form.height_px, form.width_px) if form.layout == "nchw" else (1, form.height_px, form.width_px, 3)
    fixed = [isinstance(side, int) and side > 0 for side in shape]
    if any(is_fixed and have != want for is_fixed, have, want in zip(fixed, shape, wanted, strict=True)):
        raise ConfigurationError(
            say(
                zh=f"模型 {entry.name}：网络的输入是 {list(shape)}，而目录中的 input 表示 {list(wanted)}"
                f"（{form.layout}）；请改正 width_px、height_px 或 layout",
                en=f"model {entry.name}: the network takes {list(shape)}, but the entry's input means {list(wanted)} "
                f"({form.layout}); correct width_px, height_px or layout",
            )
        )
    height_at, width_at = (2, 3) if form.layout == "nchw" else (1, 2)
    if form.multiple_px and (fixed[height_at] or fixed[width_at]):
        raise ConfigurationError(
            say(
                zh=f"模型 {entry.name}：网络的输入只能是 {list(shape)}，目录中不能写 multiple_px",
                en=f"model {entry.name}: the network takes {list(shape)} only, so its entry must not have multiple_px",
            )
        )
