"""Which tensor of the graph is which module's output; proven on real inputs."""

import numpy as np
import onnx
import torch

from service.contract.errors import SetupError
from service.contract.manifest import Tap
from service.contract.specs import Shape
from service.device import ON_CPU
from service.graph.layers import Layer, describe_layers
from service.graph.sized import at_size
from service.runtime import open_session
from training.deployed import Deployed, module_outputs
from training.onnx_file import Scopes


class ExportError(SetupError):
    """The exported graph is not the net that was trained."""


def find_taps(
    model: onnx.ModelProto, scopes: Scopes, deployed: Deployed, inputs: torch.Tensor
) -> tuple[Tap, ...]:
    """Return all taps, each with the modules whose output it is.

    inputs: (N, H, W, C) uint8 pictures or (N, window_samples) float32 waveforms; on these every
        tap is compared with a forward hook. Where the model takes pictures of any size,
        receptive fields are told for theirs, and H and W of a tap are open if they follow the
        picture's.
    Raises: ExportError if a tap differs from its module's output.
    """
    size = tuple(inputs.shape[1:3])
    layers = describe_layers(at_size(model, size)).layers
    larger = describe_layers(at_size(model, tuple(2 * side for side in size))).layers
    hooked = module_outputs(deployed, inputs)
    modules = _modules_by_tensor(scopes, hooked)
    _prove(
        model, [layer.name for layer in layers], modules, hooked, inputs, deployed.largest_tap_error
    )
    return tuple(
        Tap(
            name=layer.name,
            modules=tuple(modules.get(layer.name, ())),
            op=layer.op,
            shape=_common(layer, other),
            stride=layer.jump,
            receptive_field=layer.receptive_field,
        )
        for layer, other in zip(layers, larger, strict=True)
    )


def _common(layer: Layer, other: Layer) -> Shape:
    """Return the sizes that the layer has for both pictures, None where they differ."""
    pairs = zip(layer.shape, other.shape, strict=True)
    return tuple(size if size == size_there else None for size, size_there in pairs)


def _modules_by_tensor(scopes: Scopes, hooked: dict[str, torch.Tensor]) -> dict[str, list[str]]:
    """Return module paths by tensor: the last tensor made inside a module is its output."""
    last = {path: name for name, paths in scopes.items() for path in paths}
    for path, output in hooked.items():
        if path not in last:  # nothing was computed (identity, dropout): it passed one through
            same = [name for other, name in last.items() if hooked.get(other) is output]
            if same:
                last[path] = same[0]
    modules: dict[str, list[str]] = {}
    for path in sorted(hooked, key=len):  # outermost first
        if path in last:
            modules.setdefault(last[path], []).append(path)
    return modules


def _prove(
    model: onnx.ModelProto,
    taps: list[str],
    modules: dict[str, list[str]],
    hooked: dict[str, torch.Tensor],
    inputs: torch.Tensor,
    largest_error: float,
) -> None:
    seen = run_with_taps(model, taps, inputs.numpy())
    for name in taps:  # in the order of the graph, so that the first one to differ is named
        for path in modules.get(name, ()):
            expected = hooked[path].numpy()
            error = relative_error(seen[name], expected)
            if not error <= largest_error:
                raise ExportError(f"{name} differs from the output of {path} by {error:.2g}")


def run_with_taps(
    model: onnx.ModelProto, taps: list[str], inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the taps' values for the inputs, from the whole graph with all of them as outputs."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    outputs = {value.name for value in model.graph.output}
    for name in taps:
        if name not in outputs:
            exposed.graph.output.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            )
    session = open_session(exposed.SerializeToString(), "the export", ON_CPU)
    return session.run({model.graph.input[0].name: inputs})


def relative_error(ours: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference as a share of the largest expected magnitude."""
    if ours.shape != expected.shape:
        return float("inf")
    scale = max(float(np.abs(expected).max()), 1e-12)
    return float(np.abs(ours - expected).max()) / scale
