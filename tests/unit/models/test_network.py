"""What is refused before ONNX Runtime runs it, and that whatever it says of a file is an error of that model."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.catalogue import load_catalogue
from models.external_data import has_external_data
from models.network import Network
from runtime.errors import ConfigurationError

SHAPE = [1, 1, 4, 4]


def weights(*, external: bool) -> TensorProto:
    tensor = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    if external:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def network(where: str, *, external: bool) -> ModelProto:
    """Adds a tensor that stands in an initializer, a constant, or an initializer of a branch."""
    tensor = weights(external=external)
    add = helper.make_node("Add", ["x", "w"], ["y"])
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE)
    nodes = [add]
    if where == "constant":
        nodes = [helper.make_node("Constant", [], ["w"], value=tensor), add]
    if where == "branch":
        branch = helper.make_graph([add], "branch", [], [given], [tensor])
        condition = numpy_helper.from_array(np.array(True), "c")
        nodes = [
            helper.make_node("Constant", [], ["c"], value=condition),
            helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
        ]
        assert nodes[1].attribute[0].type == AttributeProto.GRAPH
    graph = helper.make_graph(nodes, "g", [taken], [given], [tensor] if where == "initializer" else [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("where", ["initializer", "constant", "branch"])
def test_tensors_in_further_files_are_refused_even_where_they_could_be_read(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("weights.bin").write_bytes(np.ones((4, 4), np.float32).tobytes())
    picture = np.zeros(SHAPE, np.float32)
    assert Network("own", network(where, external=False).SerializeToString()).run(picture)[0].max() == 1
    with pytest.raises(ConfigurationError, match=r"model own: .*SHA-256 does not cover"):
        Network("own", network(where, external=True).SerializeToString())


def test_the_detectors_that_ship_are_one_file() -> None:
    assert not has_external_data(load_catalogue().entry("nanodet-g").file.read_bytes())


@pytest.mark.parametrize("raw", [b"\x0b", b"\x3a\xff\x01", b"\x80" * 11, b"\x3a", b"\xff"])
def test_what_is_no_protobuf_is_refused_in_words(raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match="model own: not an ONNX network"):
        Network("own", raw)


@pytest.mark.parametrize("error", [ort_errors.EngineError, ort_errors.NotFound, RuntimeError, MemoryError])
def test_whatever_the_runtime_raises_is_an_error_of_this_model(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise error("no")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(ConfigurationError, match="model own"):
        Network("own", network("initializer", external=False).SerializeToString())
