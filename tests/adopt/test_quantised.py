from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from service.graph.layers import describe_layers
from service.graph.quantised import steps
from tests.adopt.added import ZERO_ONE, Added, added, assert_maps_are_those_of_the_whole
from tests.adopt.graphs import SIDE, classifier, save

PICTURE = np.random.default_rng(3).uniform(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)


class OnePicture(CalibrationDataReader):  # type: ignore[misc]
    """What the ranges are measured on."""

    def __init__(self) -> None:
        self._left = [{"pictures": PICTURE}]

    def get_next(self) -> Any:
        return self._left.pop() if self._left else None


def quantised(folder: Path, form: QuantFormat, activations: QuantType) -> Added:
    source, made = save(folder, classifier(opset=13), "float.onnx"), folder / "int8.onnx"
    quantize_static(
        str(source),
        str(made),
        OnePicture(),
        quant_format=form,
        activation_type=activations,
        weight_type=QuantType.QInt8,
    )
    return added(made, folder, *ZERO_ONE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
def test_pairs_of_quantise_and_dequantise_are_looked_into(
    tmp_path: Path, activations: QuantType
) -> None:
    """QDQ: the floats between are taps; layers cost what those of the float net do."""
    one = quantised(tmp_path, QuantFormat.QDQ, activations)

    assert one.manifest.graph.precision == "int8"
    table, original = describe_layers(one.graph), describe_layers(classifier(opset=13))
    assert table.totals == original.totals
    # Where the same floats are computed of bytes and of floats, one step of rounding may differ.
    assert_maps_are_those_of_the_whole(one)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
def test_operators_on_bytes_are_looked_into_as_floats(
    tmp_path: Path, activations: QuantType
) -> None:
    """QOperator: a map is (byte - zero point) * step of the very bytes in the graph."""
    one = quantised(tmp_path, QuantFormat.QOperator, activations)

    graph = one.graph.graph
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    found = {tap.name: tap for tap in one.manifest.graph.taps if tap.name in steps(graph)}
    assert {tap.op for tap in found.values()} >= {"QLinearConv", "QLinearGlobalAveragePool"}
    maps, sample, whole = one.maps(), one.sample(), one.exposed(list(found))
    for name in found:
        scale, zero = (constants[part] for part in steps(graph)[name])
        meant = (whole[name][0].astype(np.float32) - zero.astype(np.float32)) * scale
        np.testing.assert_allclose(maps.compute(name, sample).values, meant, rtol=1e-6)
    assert describe_layers(one.graph).totals == describe_layers(classifier(opset=13)).totals
    assert all(tap.receptive_field for tap in found.values())
