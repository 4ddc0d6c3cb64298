"""Weights in files of their own."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from service.contract.errors import InvalidModel
from service.graph.external import external_files, parse_graph
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import ServedModel
from service.wiring import open_live
from tests.tiny_models import move_weights_out, write_model

IMAGE = np.random.default_rng(3).integers(0, 256, (1, 8, 8, 3), np.uint8)


def served(root: Path) -> ServedModel:
    runners = Runners(1)
    settings = Settings(models_dir=root, device="cpu", threads=1)
    try:
        return open_live(settings, runners).catalog.get("colors")
    finally:
        runners.close()


def test_model_with_listed_weights_is_served(tmp_path: Path) -> None:
    """It passes its golden check, and its feature maps are those of its twin in one file."""
    twin = served(write_model(tmp_path / "whole").parents[1])
    folder = write_model(tmp_path / "split")
    move_weights_out(folder)
    model = served(tmp_path / "split")
    assert model.golden_difference < 1e-5
    np.testing.assert_array_equal(
        model.features.compute("conv", IMAGE).values, twin.features.compute("conv", IMAGE).values
    )
    assert model.features.layers() == twin.features.layers()
    assert model.memory_bytes == sum(
        (folder / name).stat().st_size for name in ("model.onnx", "weights.bin")
    )


def test_no_path_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights come from the bytes that were verified, though another file of that name is near."""
    folder = write_model(tmp_path / "models")
    move_weights_out(folder)
    (tmp_path / "weights.bin").write_bytes(os.urandom(100))
    monkeypatch.chdir(tmp_path)
    model = served(tmp_path / "models")
    assert model.golden_difference < 1e-5
    expected = IMAGE[0].transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_allclose(model.features.compute("conv", IMAGE).values, expected, rtol=1e-5)


def external(name: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=f"{name}.bin")
    return tensor


def test_weights_are_found_wherever_they_hide() -> None:
    """Initializers, constants, inner graphs, functions and sparse tensors can all name a file."""
    constant = helper.make_node("Constant", [], ["c"], value=external("constant"))
    inner = helper.make_graph([], "inner", [], [], [external("inner")])
    branch = helper.make_node("If", ["c"], ["d"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([constant, branch], "outer", [], [], [external("initializer")])
    graph.sparse_initializer.add().values.CopyFrom(external("sparse"))
    model = helper.make_model(graph)
    hidden = helper.make_node("Constant", [], ["f"], value=external("function"))
    opsets = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("x", "F", [], ["f"], [hidden], opsets))
    assert external_files(model.SerializeToString(), "m") == {
        f"{name}.bin" for name in ("constant", "inner", "initializer", "sparse", "function")
    }


@pytest.mark.parametrize(
    ("offset", "length"), [("0", "5"), ("4", "1"), ("-1", "2"), ("5", None), ("2", "-1")]
)
def test_weights_beyond_their_file_are_refused(offset: str, length: str | None) -> None:
    """Four bytes are there, and no others are taken."""
    tensor = external("weight")
    tensor.external_data.add(key="offset", value=offset)
    if length:
        tensor.external_data.add(key="length", value=length)
    model = helper.make_model(helper.make_graph([], "graph", [], [], [tensor]))
    with pytest.raises(InvalidModel, match="beyond the end"):
        parse_graph(model.SerializeToString(), {"weight.bin": b"1234"}, "m")


def test_weights_without_offset_and_length_are_the_whole_file() -> None:
    """As the ONNX specification has it."""
    model = helper.make_model(helper.make_graph([], "graph", [], [], [external("weight")]))
    parsed = parse_graph(model.SerializeToString(), {"weight.bin": b"1234"}, "m")
    (weight,) = parsed.graph.initializer
    assert weight.raw_data == b"1234"
    assert not onnx.external_data_helper.uses_external_data(weight)
