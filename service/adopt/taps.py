"""Which tensors of a composed graph can be looked at."""

import onnx

from service.contract.manifest import Tap
from service.contract.specs import FREE_SIZE, AudioPreprocessing, ImagePreprocessing
from service.graph.layers import Layer, describe_layers
from service.graph.sized import at_size


def find_taps(
    model: onnx.ModelProto, spec: ImagePreprocessing | AudioPreprocessing
) -> tuple[Tap, ...]:
    """Return a tap for every row of the layer table, with the modules that end in it.

    Of a graph for pictures of any size, sizes that follow the picture's are open.
    """
    size = spec.reference_size
    layers = describe_layers(at_size(model, size)).layers
    others = layers
    if isinstance(spec, ImagePreprocessing) and spec.resize in FREE_SIZE:
        others = describe_layers(at_size(model, tuple(2 * side for side in size))).layers
    modules = _modules(layers)
    return tuple(
        Tap(
            name=layer.name,
            modules=tuple(modules.get(layer.name, ())),
            op=layer.op,
            shape=tuple(
                own if own == there else None
                for own, there in zip(layer.shape, other.shape, strict=True)
            ),
            stride=layer.jump,
            receptive_field=layer.receptive_field,
        )
        for layer, other in zip(layers, others, strict=True)
    )


def _modules(layers: tuple[Layer, ...]) -> dict[str, list[str]]:
    """Return module paths by tensor, outermost first: the last tensor in a module is its output."""
    last: dict[str, str] = {}
    for layer in layers:
        parts = layer.module.split(".") if layer.module else []
        for depth in range(1, len(parts) + 1):
            last[".".join(parts[:depth])] = layer.name
    modules: dict[str, list[str]] = {}
    for path, name in sorted(last.items(), key=lambda entry: len(entry[0])):
        modules.setdefault(name, []).append(path)
    return modules
