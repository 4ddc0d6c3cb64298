"""Feature maps: what any layer of a served model makes of a picture or a sound."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from service.contract.errors import ModelNotReady, UnknownLayer
from service.contract.manifest import Graph, Tap
from service.graph.facts import Facts
from service.graph.kernels import FilterFinder, Filters
from service.graph.layers import Layer, LayerTable, describe_layers
from service.graph.prefix import cut_prefix
from service.graph.sized import at_size
from service.tasks.feature_map import FeatureMap
from service.tasks.kept import Kept, Once, Use

# What all layers made of an item is reduced as it comes; no more of it is held at a time.
_MOST_BYTES_AT_ONCE = 2**27
Run = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


class _Prefix(NamedTuple):
    """A cut sub-model that is ready to run, and the size of its file."""

    run: Run
    size_bytes: int


class FeatureMaps:
    """Feature maps of one graph, from prefixes that are cut when first asked for.

    read: returns the graph with all its weights; called when it is first needed.
    graph: its entry in the manifest, which lists the taps.
    open_prefix: makes a serialised model runnable.
    max_prefixes: how many runnable prefixes are kept; the least recently used goes first.
    size: of the input that the layer table is for: height and width, or samples.
    max_bytes: what the weights in all prefixes that are kept may take together.

    May be called from several threads; a prefix wanted by many is built once.
    """

    def __init__(
        self,
        read: Callable[[], onnx.ModelProto],
        graph: Graph,
        open_prefix: Callable[[bytes], Run],
        max_prefixes: int,
        size: tuple[int, ...],
        max_bytes: int = 2**28,
    ) -> None:
        self._input = graph.inputs[0]
        self._size = size
        self._taps = _by_name(graph.taps)
        self.all_taps = graph.taps
        self._model = model = Once(read)
        self._open_prefix = open_prefix
        self._finder = Once(lambda: FilterFinder(model().graph))
        # Nothing here refers to `self`: in a circle, prefixes would outlive an unloaded model.
        self._layers = Once(lambda: describe_layers(at_size(model(), size)))

        def cut(tensors: tuple[str, ...]) -> _Prefix:
            prefix = _cut(model(), tensors)
            return _Prefix(open_prefix(prefix), len(prefix))

        self._prefixes = Kept(cut, max_prefixes, lambda prefix: prefix.size_bytes, max_bytes)

    @property
    def prefixes(self) -> Use:
        """How the prefixes are used that are kept; their weight is in bytes."""
        return self._prefixes.use

    def layers(self) -> LayerTable:
        """Return the layer table of the graph."""
        return self._layers()

    def row(self, tap: Tap) -> Layer | None:
        """Return the tap's row in the layer table, if it has one."""
        return next((layer for layer in self.layers().layers if layer.name == tap.name), None)

    def tap(self, layer: str) -> Tap:
        """Return the tap of that name, or the one that is that module's output.

        layer: a tap's name (`layer1.0.conv1/Conv`) or a module's path (`layer1.0`).
        Raises: UnknownLayer, which carries the nearest names.
        """
        if layer not in self._taps:
            raise UnknownLayer(layer, self._taps)
        return self._taps[layer]

    def compute(self, layer: str, inputs: NDArray[Any]) -> FeatureMap:
        """Run the picture or window up to the layer and return what it made of it.

        layer: as for `tap`.
        inputs: the model's input for one item, (1, H, W, C) uint8 or (1, samples) float32.
        Raises: UnknownLayer; ModelNotReady if the graph does not keep what its taps promise.
        """
        tap = self.tap(layer)
        return FeatureMap(tap, self.run(tap.name, inputs)[0])

    def compute_several(self, layers: Sequence[str], inputs: NDArray[Any]) -> list[FeatureMap]:
        """Run the item once, up to all of the layers, and return what each made of it.

        They are held at once: ask for no more than there is room for.
        layers: at least one; they, `inputs` and what is raised are as for `compute`.
        """
        taps = [self.tap(layer) for layer in layers]
        values = self._values(tuple(tap.name for tap in taps), inputs)
        return [FeatureMap(tap, value[0]) for tap, value in zip(taps, values, strict=True)]

    def run(self, tensor: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Run a batch up to any tensor of the graph and return it, (N, ...) float32.

        inputs: (N, H, W, C) uint8 or (N, samples) float32.
        Raises: ModelNotReady if the graph has no such tensor.
        """
        (values,) = self._values((tensor,), inputs)
        return values

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Return a tensor that does not depend on the input, or None if there is no such one.

        What is computed from weights, such as those of 8 bits to be scaled, is computed now.
        """
        model = self._model()
        for weight in model.graph.initializer:
            if weight.name == tensor:
                return numpy_helper.to_array(weight)
        if tensor not in Facts(model).constants:
            return None
        return self._open_prefix(cut_prefix(model, tensor))({})[tensor]

    def filters(self, tensor: str) -> Filters | None:
        """Return where the filters are that made the tensor, if any did."""
        return self._finder().find(tensor)

    def compute_all(self, inputs: NDArray[Any]) -> Iterator[FeatureMap]:
        """Yield what every layer made of one item, in the order in which they are computed.

        The graph runs once, unless all of that together takes more than 128 MiB: then as often
        as is needed to hold no more of it at a time.
        inputs, Raises: as `compute`.
        """
        for taps in self._shares(inputs.shape):
            values = self._values(tuple(tap.name for tap in taps), inputs)
            for tap in taps:
                yield FeatureMap(tap, values.pop(0)[0])

    def _shares(self, shape: tuple[int, ...]) -> list[list[Tap]]:
        """Return the taps in groups that may be held in memory together."""
        rows = {layer.name: layer.shape for layer in self.layers().layers}
        scale = prod(shape[1 : 1 + len(self._size)]) / prod(self._size)
        shares: list[list[Tap]] = []
        room = -1.0
        for tap in self.all_taps:
            needed = 4 * scale * prod(size or 1 for size in rows.get(tap.name, ()))
            if needed > room:
                shares.append([])
                room = _MOST_BYTES_AT_ONCE
            shares[-1].append(tap)
            room -= needed
        return shares

    def _values(self, tensors: tuple[str, ...], inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        run, _ = self._prefixes(tensors)
        count, fixed = len(inputs), self._input.shape[0]
        if fixed is None or fixed == count:
            answers = run({self._input.name: inputs})
            return [answers[tensor].astype(np.float32, copy=False) for tensor in tensors]
        # a graph for batches of one size gets what it gets when it answers: the item, and nothing
        filler = np.zeros((fixed - 1, *inputs.shape[1:]), inputs.dtype)
        parts = [run({self._input.name: np.stack([item, *filler])}) for item in inputs]
        return [
            np.stack([part[tensor][0] for part in parts]).astype(np.float32, copy=False)
            for tensor in tensors
        ]


def _cut(model: onnx.ModelProto, tensors: Sequence[str]) -> bytes:
    try:
        return cut_prefix(model, *tensors)
    except KeyError as error:
        raise ModelNotReady(
            f"The manifest lists the layer {error.args[0]!r}, but the graph has no such tensor."
        ) from error


def _by_name(taps: Sequence[Tap]) -> dict[str, Tap]:
    """Return the taps by module path and by name; a module's last tap is its output."""
    by_module = {module: tap for tap in taps for module in tap.modules if module}
    return by_module | {tap.name: tap for tap in taps}
