"""Feature maps: what any layer of a served model makes of a picture or a sound."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from service.contract.errors import ModelNotReady, UnknownLayer
from service.contract.manifest import Graph, Tap
from service.graph.layers import Layer, LayerTable, describe_layers
from service.graph.prefix import cut_prefix
from service.graph.sized import at_size
from service.tasks.kept import Kept, Once

_BETWEEN = "\n"  # the names of tensors that one prefix makes
Run = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


@dataclass(frozen=True)
class ChannelStatistics:
    """Figures of one channel over its finite values; None where it has none.

    zero_share: share of values that are exactly zero, in 0..1.
    non_finite: how many values are NaN or infinite.
    """

    channel: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    zero_share: float
    non_finite: int


@dataclass(frozen=True)
class FeatureMap:
    """The activation at a tap for one picture or one window of a sound.

    values: float32 of the tap's shape, (C, H, W), (C, L) or (C,).
    """

    tap: Tap
    values: NDArray[np.float32]

    @property
    def dead_channel_share(self) -> float:
        """Share of the channels that are zero everywhere for this input, in 0..1."""
        return float(np.mean(~np.any(self.values.reshape(len(self.values), -1), axis=1)))

    def statistics(self, channels: Sequence[int]) -> list[ChannelStatistics]:
        """Return the figures of the given channels, in that order."""
        return [_statistics(channel, self.values[channel]) for channel in channels]


class FeatureMaps:
    """Feature maps of one graph, from prefixes that are cut when first asked for.

    read: returns the graph with all its weights; called when it is first needed.
    graph: its entry in the manifest, which lists the taps.
    open_prefix: makes a serialised model runnable.
    max_prefixes: how many runnable prefixes are kept; the least recently used goes first.
    size: of the input that the layer table is for: height and width, or samples.

    May be called from several threads; a prefix wanted by many is built once.
    """

    def __init__(
        self,
        read: Callable[[], onnx.ModelProto],
        graph: Graph,
        open_prefix: Callable[[bytes], Run],
        max_prefixes: int,
        size: tuple[int, ...],
    ) -> None:
        self._input = graph.inputs[0].name
        self._batch = graph.inputs[0].shape[0]
        self._taps = _by_name(graph.taps)
        model = Once(read)
        # Nothing here refers to `self`: in a circle, prefixes would outlive an unloaded model.
        self._layers = Once(lambda: describe_layers(at_size(model(), size)))
        self._prefixes = Kept(
            lambda tensors: open_prefix(_cut(model(), *tensors.split(_BETWEEN))), max_prefixes
        )

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

    def compute_several(self, layers: Sequence[str], inputs: NDArray[Any]) -> list[FeatureMap]:
        """Run the item once, up to all of the layers, and return what each made of it.

        They are held at once: ask for no more than there is room for.
        layers: at least one; they, `inputs` and what is raised are as for `compute`.
        """
        taps = [self.tap(layer) for layer in layers]
        run = self._prefixes(_BETWEEN.join(tap.name for tap in taps))
        values = run({self._input: self._filled(inputs)})
        return [FeatureMap(tap, values[tap.name][0].astype(np.float32)) for tap in taps]

    def compute(self, layer: str, inputs: NDArray[Any]) -> FeatureMap:
        """Run the picture or window up to the layer and return what it made of it.

        layer: as for `tap`.
        inputs: the model's input for one item, (1, H, W, C) uint8 or (1, samples) float32.
        Raises: UnknownLayer; ModelNotReady if the graph does not keep what its taps promise.
        """
        tap = self.tap(layer)
        values = self._prefixes(tap.name)({self._input: self._filled(inputs)})[tap.name]
        return FeatureMap(tap, values[0].astype(np.float32))

    def _filled(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return as many items as the graph always takes: the one, and nothing."""
        missing = (self._batch or 1) - len(inputs)
        return np.pad(inputs, [(0, missing)] + [(0, 0)] * (inputs.ndim - 1))


def _cut(model: onnx.ModelProto, *tensors: str) -> bytes:
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


def _statistics(channel: int, values: NDArray[np.float32]) -> ChannelStatistics:
    finite = values[np.isfinite(values)]
    return ChannelStatistics(
        channel=channel,
        minimum=float(finite.min()) if finite.size else None,
        maximum=float(finite.max()) if finite.size else None,
        mean=float(finite.mean(dtype=np.float64)) if finite.size else None,
        zero_share=float(np.mean(values == 0)),
        non_finite=values.size - finite.size,
    )
