"""What of a graph explanations need to know: its scores, its head, and layers with places."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

import onnx

from service.contract.errors import InvalidParameter
from service.contract.manifest import Manifest
from service.graph.facts import Facts
from service.graph.head import PooledHead, find_head, scores_behind
from service.graph.layers import Layer, LayerTable
from service.graph.suffix import leading_to

Method = Literal["cam", "ablation-cam", "eigen-cam", "score-cam", "occlusion"]
METHODS: tuple[Method, ...] = ("cam", "ablation-cam", "eigen-cam", "score-cam", "occlusion")
# Coarser maps hardly point anywhere; above that, deeper ones point better (bench/RESULTS.md).
_FINE_CELLS = 3
# What they make may be of either sign. Maps are summed on the understanding that a channel's value
# tells how much of something there is, as it does behind a rectifier.
_SIGNED = {
    "Conv",
    "ConvTranspose",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "Neg",
    "Sub",
}


@dataclass(frozen=True)
class Plan:
    """What was found in a graph.

    scores: name of the tensor behind which only a softmax or a sigmoid follows.
    head: where class activation maps exist, else None.
    layers: those with places that lead to the scores, in the order of the graph.
    reference: size of the input that the layers tell of.
    """

    model: onnx.ModelProto = field(repr=False)
    facts: Facts = field(repr=False)
    scores: str
    head: PooledHead | None
    layers: tuple[Layer, ...] = field(repr=False)
    reference: tuple[int, ...]

    def usable(self, method: Method) -> list[str]:
        """Return the names of the layers that the method can take."""
        if method == "occlusion":
            return []
        if method == "cam":
            return [self.head.tap] if self.head else []
        return [layer.name for layer in self.layers]

    def methods(self) -> list[Method]:
        """Return the methods that can be asked for, the default one first."""
        default = self.default_method()
        able = [m for m in METHODS if m == "occlusion" or self.usable(m)]
        return [default, *(method for method in able if method != default)]

    def default_method(self) -> Method:
        """Return `cam` where there is one, else `ablation-cam`, and occlusion without layers."""
        if self.head:
            return "cam"
        return "ablation-cam" if self.layers else "occlusion"

    def default_layer(self, method: Method) -> str | None:
        """Return the layer that is taken when none is named.

        It is the one that is pooled; else of the layers with the fewest cells the last one behind
        a rectifier, but none with fewer than three cells along a side if there are others.
        """
        if method == "occlusion" or not self.usable(method):
            return None
        if self.head:
            return self.head.tap
        fine = [layer for layer in self.layers if _is_fine(layer)] or list(self.layers)
        fewest = min(_cells(layer) for layer in fine)
        coarse = [layer for layer in fine if _cells(layer) == fewest]
        rectified = [layer for layer in coarse if layer.op not in _SIGNED]
        return (rectified or coarse)[-1].name

    def layer_for(self, method: Method, named: str | None) -> Layer | None:
        """Return the layer's row, or None for a method that needs none.

        named: the tap's name, if a layer was asked for.
        Raises: InvalidParameter if the method is impossible here, or with that layer.
        """
        if method not in self.methods():
            raise InvalidParameter(f"method={method}: {self._obstacle(method)}")
        if method == "occlusion":
            if named is not None:
                raise InvalidParameter("method=occlusion hides parts of the input, not of a layer.")
            return None
        usable = self.usable(method)
        name = named or self.default_layer(method)
        if name not in usable:
            which = f"only {usable[0]!r}, which is pooled" if method == "cam" else _WITH_PLACES
            raise InvalidParameter(f"method={method} cannot take the layer {name!r}: {which}.")
        return next((layer for layer in self.layers if layer.name == name), None)

    def behind(self, layer: Layer) -> Sequence[Layer]:
        """Return the layers that follow in the graph."""
        return self.layers[self.layers.index(layer) + 1 :]

    def _obstacle(self, method: Method) -> str:
        if method == "cam":
            return (
                "the head of this model is not global average pooling with a linear layer behind "
                "it; ablation-cam works with any head."
            )
        return "no layer of this model has cells with a place; occlusion needs none."


_WITH_PLACES = "it takes those whose cells have a place and lead to the scores"


def make_plan(model: onnx.ModelProto, table: LayerTable, manifest: Manifest) -> Plan:
    """Return what the graph of a model offers; only layers that the manifest lists count."""
    facts = Facts(model)
    output = manifest.graph.output_of_role("logits")
    answer = manifest.graph.output_of_role("probabilities")
    scores = output.name if output else scores_behind(model, answer.name if answer else "")
    leading = leading_to(model, scores)
    listed = {tap.name for tap in manifest.graph.taps}
    layers = tuple(
        layer
        for layer in table.layers
        if layer.name in leading and layer.name in listed and _cells(layer) > 1
    )
    head = find_head(model, facts, scores)
    if head and (
        head.tap not in {layer.name for layer in layers}
        or len(head.weights) != len(manifest.labels)
    ):
        head = None
    return Plan(model, facts, scores, head, layers, manifest.preprocessing.reference_size)


def _cells(layer: Layer) -> int:
    return prod(size or 1 for size in layer.shape[1:])


def _is_fine(layer: Layer) -> bool:
    return min(size or 1 for size in layer.shape[1:]) >= _FINE_CELLS
