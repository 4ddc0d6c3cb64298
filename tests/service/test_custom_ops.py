"""Operators that ONNX Runtime does not know by itself."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime_extensions
import pytest
from onnx import helper

from service.contract.errors import SetupError
from service.device import ON_CPU, Placement
from service.repository import load_repository
from service.runners import Runners
from service.settings import Settings
from service.wiring import open_live
from tests.tiny_models import colors_graph, write_model

LIBRARY = Path(onnxruntime_extensions.get_library_path())


def graph_with(op: str, domain: str) -> onnx.ModelProto:
    """Return the colors net with another operator in the place of its ReLU."""
    model = colors_graph()
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.domain = op, domain
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """A model with an operator that splits into a negative and a positive part."""
    model = graph_with("NegPos", "ai.onnx.contrib")
    node = next(node for node in model.graph.node if node.op_type == "NegPos")
    node.output[:] = ["negative", "relu/Relu"]
    write_model(tmp_path, graph=model)
    return tmp_path


@pytest.mark.parametrize(
    ("op", "domain", "told"),
    [
        ("Frob", "com.acme", "uses the operator Frob of domain com.acme, which is not known here"),
        ("Frob", "", "uses the operator Frob of domain ai.onnx, which is not known here"),
        ("Frob", "ai.onnx.ml", "uses the operator Frob of domain ai.onnx.ml, which is not known"),
        ("NegPos", "ai.onnx.contrib", "--custom-ops may name a library that has it"),
    ],
)
def test_unknown_operator_is_told_in_plain_words(
    tmp_path: Path, op: str, domain: str, told: str
) -> None:
    """The reason names the operator and its domain, and none of the runtime's functions."""
    write_model(tmp_path, graph=graph_with(op, domain))
    (refusal,) = load_repository(tmp_path, ON_CPU).refusals
    assert refusal.file == "colors/1/model.onnx"
    assert told in refusal.reason
    assert "ONNXRuntimeError" not in refusal.reason


def test_operator_without_a_declared_domain_is_told_too(tmp_path: Path) -> None:
    """A graph that forgets to import the domain is as unknown."""
    model = graph_with("Frob", "com.acme")
    del model.opset_import[1:]
    write_model(tmp_path, graph=model)
    (refusal,) = load_repository(tmp_path, ON_CPU).refusals
    assert "uses the operator Frob of domain com.acme" in refusal.reason


def test_library_makes_its_operators_known(custom: Path) -> None:
    """The model answers, its feature maps do, and `check` knows the library as well."""
    runners = Runners(1)
    settings = Settings(models_dir=custom, device="cpu", threads=1, custom_ops=LIBRARY)
    model = open_live(settings, runners).catalog.get("colors")
    runners.close()
    image = np.full((1, 8, 8, 3), 255, np.uint8)
    assert np.all(model.features.compute("relu", image).values == 1)
    assert len(load_repository(custom, Placement("cpu", custom_ops=LIBRARY)).models) == 1


@pytest.mark.parametrize("library", ["nowhere.so", "notes.txt"])
def test_library_that_is_none_stops_the_start(tmp_path: Path, library: str) -> None:
    """Nothing is served without what the operator asked for."""
    write_model(tmp_path)
    (tmp_path / "notes.txt").write_text("no library")
    file = tmp_path / library
    with pytest.raises(SetupError, match=f"The operators in {file} cannot be had: "):
        load_repository(tmp_path, Placement("cpu", custom_ops=file))
    runners = Runners(1)
    with pytest.raises(SetupError, match="cannot be had"):
        open_live(Settings(models_dir=tmp_path, device="cpu", custom_ops=file), runners)
    runners.close()
