"""Receptive fields of the bundled nets, held against what really changes their cells."""

from functools import cache

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from service.contract.manifest import Manifest
from service.graph.layers import Layer, describe_layers
from service.graph.sized import at_size
from tests.onnx_graphs import open_session
from tests.parity.bundled import folder_of, golden_inputs, manifest_of

# Layers of every depth, up- and downwards; of each net the last one sees all of it.
LAYERS = {
    "cifar10": (
        "whiten/Conv", "group1.pool/MaxPool", "group1/Add", "group2/Add", "group3.conv1/Conv",
        "group3/Add",
    ),
    "street": (
        "encoder.stem.relu/Relu", "encoder.layer2.0.relu/Relu", "encoder.layer3.1.relu/Relu",
        "encoder.layer4.1.relu/Relu", "decoder.stride8.conv2.relu/Relu",
        "decoder.stride2.conv2.relu/Relu",
    ),
    "spoken_digits": ("log_mel/Log", "resnet.layer1.0/Add", "resnet.layer3.0.relu/Relu"),
    "silence": ("envelope/Conv", "neuron/Conv"),
}  # fmt: skip
# Pixels or samples that are changed at once, so that the last bit of many layers shows it.
BAND = {"cifar10": 1, "street": 4, "spoken_digits": 60, "silence": 160}
BATCH = 16


@cache
def rows(name: str) -> dict[str, Layer]:
    manifest = manifest_of(name)
    model = onnx.load(folder_of(manifest) / manifest.graph.file.path)
    sized = at_size(model, manifest.preprocessing.reference_size)
    return {layer.name: layer for layer in describe_layers(sized).layers}


def graph_of(manifest: Manifest, layers: tuple[str, ...]) -> onnx.ModelProto:
    """Return the net's graph with these layers as its outputs."""
    model = onnx.load(folder_of(manifest) / manifest.graph.file.path)
    del model.graph.output[:]
    for layer in layers:
        model.graph.output.add(name=layer)
    return model


def hold(model: onnx.ModelProto, tensor: str, value: np.ndarray) -> None:
    """Make the tensor a constant, whatever would be computed."""
    nodes = [node for node in model.graph.node if tensor not in node.output]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.append(numpy_helper.from_array(value, tensor))


def bands_seen(manifest: Manifest, model: onnx.ModelProto, axis: int) -> dict[str, np.ndarray]:
    """Return by layer which cells change when a band of the input does, bool (bands, cells).

    axis: of the input, and of the cells, counted from the end: -1 across, -2 down.
    """
    session, band = open_session(model.SerializeToString()), BAND[manifest.name]
    inputs, (tensor,) = golden_inputs(manifest)[:1], manifest.graph.inputs
    along = axis - 1 if inputs.ndim == 4 else axis  # the colours come last
    random, before = np.random.default_rng(0), session({tensor.name: inputs})
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in before}
    bands = inputs.shape[along] // band
    for first in range(0, bands, BATCH):
        batch = inputs.repeat(min(BATCH, bands - first), axis=0)
        for item, place in zip(batch, range(first, bands), strict=False):
            part = np.moveaxis(item[None], along, 0)[place * band :][:band]
            noise = random.uniform(-1, 1, part.shape)
            part[:] = 127 + 127 * noise if inputs.ndim == 4 else noise
        for layer, values in session({tensor.name: batch}).items():
            different = np.moveaxis(values != before[layer], axis, 1)
            found[layer].extend(different.reshape(*different.shape[:2], -1).any(axis=2))
    return {layer: np.array(cells) for layer, cells in found.items()}


def assert_cells_see(row: Layer, axis: int, hits: np.ndarray, band: int) -> None:
    """Hold each cell against the bands that change it, (bands, cells).

    Weights may be zero and rectifiers shut, so that not every cell shows every pixel: of all
    together, some see the first tenth of their field, and some the last.
    """
    assert row.cells is not None
    cells, total = row.cells[axis], len(hits) * band
    missed_first, missed_last = [], []
    for cell, seen in enumerate(hits.T):
        begin, end, places = cells.begin(cell), cells.end(cell), np.flatnonzero(seen)
        assert places.size, (row.name, cell)
        first, last = places[0] * band, (places[-1] + 1) * band
        assert first > begin - band, (row.name, cell)
        assert last < end + band, (row.name, cell)
        if begin >= 0 and end <= total:
            missed_first.append((first - begin) / (end - begin))
            missed_last.append((end - last) / (end - begin))
    if missed_first:
        assert max(min(missed_first), min(missed_last)) <= 0.1, row.name


@pytest.mark.parametrize(
    ("name", "axis"),
    [("cifar10", -1), ("cifar10", -2), ("street", -1), ("street", -2), ("silence", -1)],
)
def test_receptive_field_is_what_changes_the_cells_of_a_bundled_net(name: str, axis: int) -> None:
    """Nothing outside of it changes a cell; what lies within does, nearly to its edges."""
    manifest = manifest_of(name)
    seen = bands_seen(manifest, graph_of(manifest, LAYERS[name]), axis)
    for layer, hits in seen.items():
        assert_cells_see(rows(name)[layer], axis, hits, BAND[name])


def test_mean_that_is_taken_away_is_all_that_lies_beyond_the_local_field() -> None:
    """Held at its value, cells see their local field only; let go, they see everything."""
    manifest, layers = manifest_of("spoken_digits"), LAYERS["spoken_digits"]
    band = BAND["spoken_digits"]
    mean = graph_of(manifest, ("level/ReduceMean",))
    (tensor,) = manifest.graph.inputs
    value = open_session(mean.SerializeToString())({tensor.name: golden_inputs(manifest)[:1]})
    held = graph_of(manifest, layers)
    hold(held, "level/ReduceMean", value["level/ReduceMean"])
    for layer, hits in bands_seen(manifest, held, -1).items():
        assert_cells_see(rows("spoken_digits")[layer], -1, hits, band)
    for layer, hits in bands_seen(manifest, graph_of(manifest, layers), -1).items():
        row = rows("spoken_digits")[layer]
        if layer.startswith("resnet"):
            whole = row.receptive_field[1] // band
            assert hits[:whole].all()
            assert not hits[whole + 1 :].any()
