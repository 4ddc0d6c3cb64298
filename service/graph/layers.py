"""The layer table: what every tap of a graph is, costs and sees."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import onnx

from service.contract.specs import Shape
from service.graph.cells import Cells
from service.graph.costs import has_weights, learned, multiply_accumulates
from service.graph.facts import Facts, TensorType
from service.graph.ops import gathers_bands, see_through
from service.graph.path import data_path, reads
from service.graph.quantised import plain, steps
from service.graph.sight import PLACES, Sight, View
from service.graph.step import Step
from service.graph.windows import read_windows

_CHANNELS = {1, 3, 4}


@dataclass(frozen=True)
class Layer:
    """One tap; pairs are (vertical, horizontal), and (1, along) for sequences.

    Pixels are those of the picture. For sounds they are samples along the time, and rows up and
    down of the first spectrogram that the graph makes: the bands of its filterbank if it has one.

    name: the tensor's name, `module.path/Op` in files that we have written.
    shape: without the batch: (C, H, W), (C, L) or (C,); None for a dynamic size.
    kernel, stride, dilation, groups: the window of a convolution or pooling, else None.
    padding: (top, left, bottom, right), for sequences (begin, end).
    parameters: learned numbers of the node, running statistics not included.
    macs: multiply-accumulates for one item; None if a size is dynamic.
    receptive_field: input pixels that one cell can see, far from the border; behind an
        upsampling, where neighbours see more and less by turns, those of the one that sees most.
    local_receptive_field: the same without what all cells see alike, such as the mean that a
        normalisation takes away or the weights of squeeze-and-excitation.
    jump: input pixels from cell to cell; None where cells have no place.
    start: centre of the first cell; the first pixel's centre is 0.5.
    cells: what each cell sees around its own place; None where cells have no place.
    sees: share of the input that one cell sees far from the border, in 0..1; for sounds, of the
        spectrogram, once there is one.
    macs_share, parameters_share: of the whole graph's, in 0..1; None where that is unknown or none.
    """

    name: str
    op: str
    shape: Shape
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | None
    dilation: tuple[int, ...] | None
    groups: int | None
    parameters: int
    macs: int | None
    receptive_field: tuple[int, int] | None
    local_receptive_field: tuple[int, int] | None
    jump: tuple[int, int] | None
    start: tuple[float, float] | None
    cells: tuple[Cells, Cells] | None = field(repr=False)
    sees: float | None
    macs_share: float | None = None
    parameters_share: float | None = None

    @property
    def module(self) -> str:
        """The path of the module that made the tensor, as far as its name tells."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Totals:
    """Sums over the whole graph; a parameter that several nodes share counts once."""

    parameters: int
    macs: int | None


@dataclass(frozen=True)
class LayerTable:
    """All taps in the order in which they are computed."""

    layers: tuple[Layer, ...]
    totals: Totals


def describe_layers(model: onnx.ModelProto) -> LayerTable:
    """Return one row for each activation between the input and the outputs, quantised ones too.

    Tensors that are not channels-first, such as the picture before its transposition,
    have no row, nor have constants and shape arithmetic. Operators that are not
    understood leave `receptive_field` empty from there on.
    """
    walk = _Walk(model)
    layers = [layer for node in walk.data_path() for layer in walk.pass_node(node)]
    totals = Totals(sum(walk.parameters.values()), _sum(walk.macs))
    return LayerTable(tuple(_with_shares(layer, totals) for layer in layers), totals)


def _with_shares(layer: Layer, totals: Totals) -> Layer:
    macs = layer.macs / totals.macs if layer.macs is not None and totals.macs else None
    parameters = layer.parameters / totals.parameters if totals.parameters else None
    return replace(layer, macs_share=macs, parameters_share=parameters)


class _Walk:
    """A walk along the data path, with what has been learned on the way.

    sights: what each tensor sees, of those that depend on an input.
    parameters: sizes of the learned constants met so far, by name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._facts = Facts(model)
        self._steps = steps(model.graph)
        self.sights = _input_sights(model.graph, self._facts)
        self._letters = _letters_of_input(self.sights)
        self._behind_weights: set[str] = set()
        self.parameters: dict[str, int] = {}
        self.macs: list[int | None] = []

    def data_path(self) -> list[onnx.NodeProto]:
        """Return the nodes between the inputs and the outputs, in the order of the graph."""
        return data_path(self._graph, set(self.sights))

    def pass_node(self, node: onnx.NodeProto) -> Iterator[Layer]:
        """Go on to the node's outputs and yield a row for each that is a tap."""
        written, node = node, plain(node)
        sources = [name for name in reads(node) if name in self.sights]
        step = Step(node, self._facts, [self.sights[n] for n in sources], sources)
        sight, weightless = see_through(step), gathers_bands(step)
        behind = not self._behind_weights.isdisjoint(sources)
        parameters = {} if weightless else learned(node, self._facts, behind)
        self.parameters.update(parameters)
        self.macs.append(multiply_accumulates(node, self._facts))
        for name in filter(None, node.output):
            self.sights[name] = sight
            if behind or (has_weights(node) and not weightless):
                self._behind_weights.add(name)
            numbers = name in self._steps and written.op_type != "QuantizeLinear"
            if _is_tap(self._facts.types.get(name), sight, numbers):
                row = self._row(name, node, sight, sum(parameters.values()))
                yield replace(row, op=written.op_type)

    def _row(self, name: str, node: onnx.NodeProto, sight: Sight, parameters: int) -> Layer:
        windows = read_windows(node, self._facts)
        views = [sight.along(letter) for letter in PLACES]
        # an axis that the input has not got, as the vertical one of a sequence, needs no place
        placed = [letter in sight.layout or letter not in self._letters for letter in PLACES]
        cells = [view.cells if here else None for view, here in zip(views, placed, strict=True)]
        return Layer(
            name=name,
            op=node.op_type,
            shape=(self._facts.shape(name) or ())[1:],
            kernel=windows.kernel if windows else None,
            stride=windows.stride if windows else None,
            padding=windows.padding if windows else None,
            dilation=windows.dilation if windows else None,
            groups=windows.groups if windows else None,
            parameters=parameters,
            macs=self.macs[-1],
            receptive_field=_pair(v.pixels(p) for v, p in zip(views, placed, strict=True)),
            local_receptive_field=_pair(
                v.local_pixels(p) for v, p in zip(views, placed, strict=True)
            ),
            jump=_pair(self._jump(*along, sight) for along in zip(PLACES, cells, strict=True)),
            start=_pair(along.start if along else None for along in cells),
            cells=_pair(cells),
            sees=_share(views, placed),
        )

    @staticmethod
    def _jump(letter: str, cells: Cells | None, sight: Sight) -> int | None:
        if cells is None:
            return None
        return _whole(cells.jump) if letter in sight.layout else 1  # which has one row only


def _input_sights(graph: onnx.GraphProto, facts: Facts) -> dict[str, Sight]:
    """Return what the inputs see, each of its own pixels."""
    sights = {}
    for value in graph.input:
        if value.name not in facts.constants:
            shape = facts.shape(value.name) or ()
            layout = _input_layout(shape, value.type.tensor_type.elem_type)
            sights[value.name] = Sight(layout, *(_own(letter, layout, shape) for letter in PLACES))
    return sights


def _own(letter: str, layout: str, shape: Shape) -> View:
    if letter in layout:
        return View(shape[layout.index(letter)], Cells())
    return View(extent=1, cells=Cells(), fixed=1)


def _input_layout(shape: Shape, elem_type: int) -> str:
    """Return the layout of an input: bytes are pictures as they were decoded, channels last."""
    if len(shape) == 4:
        last = shape[3] in _CHANNELS and shape[1] not in _CHANNELS
        return "NHWC" if last or elem_type == onnx.TensorProto.UINT8 else "NCHW"
    return {1: "N", 2: "NW", 3: "NCW"}.get(len(shape), ("NC" + "-" * len(shape))[: len(shape)])


def _letters_of_input(sights: dict[str, Sight]) -> str:
    return "".join(sight.layout for sight in sights.values())


def _is_tap(tensor: TensorType | None, sight: Sight, quantised: bool) -> bool:
    """Whether the tensor is an activation of shape (N, C), (N, C, L) or (N, C, H, W)."""
    if tensor is None or tensor.shape is None or not (tensor.is_float or quantised):
        return False
    rank = len(tensor.shape)
    return rank == len(sight.layout) and (
        (rank in (3, 4) and sight.layout.startswith("NC")) or sight.layout in ("NC", "NF")
    )


def _share(views: Iterable[View], placed: Iterable[bool]) -> float | None:
    """Return the share of the input's extent that is seen along all axes together."""
    share = 1.0
    for view, here in zip(views, placed, strict=True):
        pixels = view.pixels(here)
        if pixels is None or view.extent is None:
            return None
        share *= min(1.0, pixels / view.extent)
    return share


_Part = TypeVar("_Part", int, float, Cells)


def _pair(parts: Iterable[_Part | None]) -> tuple[_Part, _Part] | None:
    vertical, horizontal = parts
    return None if vertical is None or horizontal is None else (vertical, horizontal)


def _whole(number: float) -> int | None:
    return int(number) if number == int(number) else None


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = list(numbers)
    return None if None in known else sum(number for number in known if number is not None)
