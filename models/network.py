"""One ONNX Runtime session behind the little that the rest needs: an input, named outputs, a run.

`run` may be called from several threads at once; it uses the caller's thread alone and blocks until done.
"""

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.external_data import has_external_data
from runtime.errors import ConfigurationError
from runtime.language import say

ORT_ERRORS: tuple[type[Exception], ...] = (
    *(one for one in vars(ort_errors).values() if isinstance(one, type) and issubclass(one, Exception)),
    RuntimeError,
    ValueError,
    MemoryError,
)
"""ONNX Runtime's errors have no class in common but Exception; some C++ errors come as Python's own."""

FATAL_ONLY = 4
"""Log level: what goes wrong comes back as an exception, which says it better than a line on standard error."""


class Network:
    """A loaded network with one float32 picture input."""

    def __init__(self, name: str, raw: bytes) -> None:
        """Raises ConfigurationError when `raw` is no ONNX network with a single float32 input of four dimensions."""
        self.name = name
        _refuse_external_data(name, raw)
        try:
            self._session: Any = onnxruntime.InferenceSession(raw, _options(), providers=["CPUExecutionProvider"])
            inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        except ORT_ERRORS as error:
            raise ConfigurationError(
                say(
                    zh=f"模型 {name}：不是 ONNX Runtime 能够加载的网络：{_first_line(error)}",
                    en=f"model {name}: not an ONNX network this runtime can load: {_first_line(error)}",
                )
            ) from None
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise ConfigurationError(
                say(
                    zh=f"模型 {name}：须有一个四维的 float32 输入，而它有 {found}",
                    en=f"model {name}: needs one float32 input of four dimensions, but has {found}",
                )
            )
        self._input_name: str = inputs[0].name
        self.input_shape: tuple[int | str | None, ...] = tuple(inputs[0].shape)
        self.output_names: tuple[str, ...] = tuple(one.name for one in outputs)

    def run(self, picture: NDArray[np.float32]) -> list[NDArray[Any]]:
        """All outputs, in the order of `output_names`; raises ConfigurationError when the network refuses the shape."""
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, {self._input_name: picture})
        except ORT_ERRORS as error:
            raise ConfigurationError(
                say(
                    zh=f"模型 {self.name}：处理 {picture.shape} 的输入时失败：{_first_line(error)}；"
                    "请检查模型目录中的 input",
                    en=f"model {self.name}: failed on an input of {picture.shape}: {_first_line(error)}; "
                    "check input in its catalogue entry",
                )
            ) from None
        return outputs


def _refuse_external_data(name: str, raw: bytes) -> None:
    try:
        is_partly_elsewhere = has_external_data(raw)
    except ValueError as error:
        raise ConfigurationError(
            say(
                zh=f"模型 {name}：不是 ONNX Runtime 能够加载的网络：{error}",
                en=f"model {name}: not an ONNX network this runtime can load: {error}",
            )
        ) from None
    if is_partly_elsewhere:
        raise ConfigurationError(
            say(
                zh=f"模型 {name}：该 ONNX 文件把张量放在其他文件中 (external data)，SHA-256 无法覆盖它们；"
                "请把模型重新保存为单个文件",
                en=f"model {name}: the ONNX file keeps tensors in further files (external data), which its SHA-256 "
                "does not cover; save the model as one file",
            )
        )


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    # One thread a call: frames of different cameras run side by side, which scales better than splitting one frame.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # A spinning thread burns the core that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Numbers next to zero, as in a black picture, are a hundred times slower on some processors.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # Otherwise bytes that look like ONNX Runtime's own form would be taken as such.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = FATAL_ONLY
    return options


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
