"""Which output holds the answer, and what it is: logits, probabilities, or a mask."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from service.adopt.asked import Asked
from service.adopt.findings import Finding, Sureness
from service.adopt.refusal import CannotAdd
from service.contract.manifest import MOST_CLASSES_OF_A_MASK
from service.graph.facts import Facts

Gives = Literal["logits", "probabilities", "independent", "mask"]
_SOFTMAX = {"Softmax": "probabilities", "QLinearSoftmax": "probabilities", "LogSoftmax": "logits"}
_SIGMOID = {"Sigmoid", "QLinearSigmoid", "HardSigmoid"}
_PASSING = {
    "Cast",
    "Identity",
    "Reshape",
    "Flatten",
    "Squeeze",
    "Transpose",
    "QuantizeLinear",
    "DequantizeLinear",
    "Unsqueeze",
    "Clip",
}
# Sums of float16 and int8 probabilities may be off by so much.
_SUM_TOLERANCE = 0.02
_MOST_LISTED = 8


@dataclass(frozen=True)
class Head:
    """The output with the answer.

    gives: logits, or probabilities that sum to one, or one that do not; or indices of classes.
    classes: how many there are.
    axis: of the classes in the output; None for a mask.
    shape: of the output for one item, the batch included.
    single: it gives one number for two classes, that of the second.
    """

    name: str
    gives: Gives
    classes: int
    axis: int | None
    shape: tuple[int, ...]
    single: bool

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of maps, or of indices of classes."""
        if self.axis is None and len(self.shape) == 3:
            height, width = self.shape[1:]
        elif self.axis == 3 or (self.axis is None and self.shape[1] != 1):
            height, width = self.shape[1:3]
        else:
            height, width = self.shape[2:4]
        return height, width


def choose_head(
    model: onnx.ModelProto,
    outputs: Mapping[str, NDArray[Any]],
    asked: Asked,
    size: tuple[int, ...] = (),
) -> tuple[Head, list[Finding]]:
    """Return the head, told by what the original gave for a few inputs.

    outputs: (N, ...) by name.
    Raises: CannotAdd if none fits, or more than one does.
    """
    if asked.output is not None and asked.output not in outputs:
        raise CannotAdd(
            f"There is no output {asked.output!r} with an item for each input; the graph gives "
            f"{_listed(outputs)}."
        )
    considered = {asked.output: outputs[asked.output]} if asked.output else dict(outputs)
    fitting = {
        name: axis
        for name, values in considered.items()
        if (axis := class_axis(values, asked, size)) is not None
    }
    if not fitting:
        raise CannotAdd(_nothing_fits(considered, asked))
    name = _pick(model, fitting, asked)
    head, found = _head(model, name, considered[name], fitting[name], asked)
    if asked.task == "image-segmentation" and head.classes > MOST_CLASSES_OF_A_MASK:
        raise CannotAdd(
            f"The output has {head.classes} classes; a mask holds {MOST_CLASSES_OF_A_MASK} at most."
        )
    sure: Sureness = "told" if asked.output else "certain" if len(outputs) == 1 else "likely"
    others = "" if len(outputs) == 1 else f"of {len(outputs)}; --output overrides"
    shape = ", ".join(["N", *map(str, considered[name].shape[1:])])
    return head, [
        Finding("output", f"{name!r} ({shape})", sure, others),
        found,
        Finding("classes", str(head.classes), "certain"),
    ]


def class_axis(values: NDArray[Any], asked: Asked, size: tuple[int, ...] = ()) -> int | None:
    """Return the axis of the classes, -1 for indices of classes; None if it is no answer."""
    expected = len(asked.labels) if asked.labels else None
    sizes = values.shape
    if asked.task == "image-segmentation":
        return _axis_of_maps(values, expected, size)
    if values.dtype.kind != "f" or len(sizes) < 2:
        return None
    wide = [axis for axis in range(1, len(sizes)) if sizes[axis] > 1]
    if len(wide) > 1:
        return None
    axis = wide[0] if wide else 1
    return axis if _fits(sizes[axis], expected) else None


def _axis_of_maps(values: NDArray[Any], expected: int | None, size: tuple[int, ...]) -> int | None:
    sizes = values.shape
    if values.dtype.kind in "iub":
        flat = len(sizes) == 3 or (len(sizes) == 4 and 1 in (sizes[1], sizes[3]))
        return -1 if flat else None
    if values.dtype.kind != "f" or len(sizes) != 4:
        return None
    sides = {1: sizes[2:4], 3: sizes[1:3]}
    fitting = [a for a in (1, 3) if min(sides[a]) > 1 and _fits(sizes[a], expected)]
    if len(fitting) == 2 and size:
        # maps have the proportions of the picture; there may be more classes than cells in a row
        alike = [a for a in fitting if sides[a][0] * size[1] == sides[a][1] * size[0]]
        fitting = alike if len(alike) == 1 else [1 if sizes[1] <= sizes[3] else 3]
    return fitting[0] if fitting else None


def _fits(size: int, expected: int | None) -> bool:
    if expected is None:
        return size > 0
    return size == expected or (size == 1 and expected == 2)


def _pick(model: onnx.ModelProto, fitting: Mapping[str, int], asked: Asked) -> str:
    if len(fitting) == 1:
        return next(iter(fitting))
    soft = [name for name in fitting if _maker(model, name) in _SOFTMAX]
    if len(soft) == 1:
        return soft[0]
    raise CannotAdd(
        "Several outputs may hold the answer: "
        f"{', '.join(map(repr, list(fitting)[:_MOST_LISTED]))}. Say which with --output."
    )


def _head(
    model: onnx.ModelProto, name: str, values: NDArray[Any], axis: int, asked: Asked
) -> tuple[Head, Finding]:
    if axis == -1:
        classes = _counted(model, name, values, asked)
        head = Head(name, "mask", classes, None, values.shape, False)
        return head, Finding("gives", "indices of classes", "certain", "integers")
    size = values.shape[axis]
    gives, sure, because = _gives(_maker(model, name), np.moveaxis(values, axis, 1), asked)
    single = size == 1
    head = Head(name, gives, 2 if single else size, axis, values.shape, single)
    kind = "independent probabilities" if gives == "independent" else gives
    return head, Finding("gives", f"{kind} of the second class" if single else kind, sure, because)


def _counted(model: onnx.ModelProto, name: str, values: NDArray[Any], asked: Asked) -> int:
    """Return how many classes a mask's indices are of: noise need not show them all."""
    told = len(asked.labels) if asked.labels else None
    makers = {output: node for node in model.graph.node for output in node.output}
    while name in makers and makers[name].op_type in _PASSING:
        name = makers[name].input[0]
    maker = makers.get(name)
    if maker is not None and maker.op_type == "ArgMax":
        axis = next((a.i for a in maker.attribute if a.name == "axis"), 0)
        shape = Facts(model).shape(maker.input[0])
        own = shape[axis] if shape else None
        if own and told not in (None, own):
            raise CannotAdd(f"{asked.labels_name} has {told} labels, but the ArgMax is over {own}.")
        told = told or own
    if told is None:
        raise CannotAdd(
            "The graph gives indices of classes, which do not tell how many there are: "
            "say --labels."
        )
    if int(values.max()) >= told:
        raise CannotAdd(
            f"The graph gives the index {int(values.max())}, but there are {told} labels."
        )
    return told


def _gives(maker: str, values: NDArray[Any], asked: Asked) -> tuple[Gives, Sureness, str]:
    """Return what the numbers (N, classes, ...) are."""
    single = values.shape[1] == 1
    if asked.gives:
        return asked.gives, "told", "--gives"
    if maker in _SOFTMAX:
        gives: Gives = "probabilities" if _SOFTMAX[maker] == "probabilities" else "logits"
        return gives, "certain", f"made by {maker}"
    if maker in _SIGMOID:
        return ("probabilities" if single else "independent"), "certain", f"made by {maker}"
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        raise CannotAdd("The graph gives nothing but NaN for pictures of noise: check --preset.")
    low, high = float(finite.min()), float(finite.max())
    inside = low >= 0 and high <= 1 + _SUM_TOLERANCE
    sums = values.astype(np.float64).sum(1)
    if inside and not single and np.all(np.abs(sums - 1) <= _SUM_TOLERANCE):
        return "probabilities", "likely", "they lie in 0..1 and sum to 1; --gives overrides"
    because = f"from {low:.3g} to {high:.3g} on noise; --gives overrides"
    return "logits", ("unknown" if inside else "likely"), because


def _maker(model: onnx.ModelProto, name: str) -> str:
    """Return the operator that computes the output, behind whatever passes it on."""
    makers = {output: node for node in model.graph.node for output in node.output}
    while name in makers and makers[name].op_type in _PASSING:
        name = makers[name].input[0]
    return makers[name].op_type if name in makers else ""


def _nothing_fits(outputs: Mapping[str, NDArray[Any]], asked: Asked) -> str:
    maps = asked.task == "image-segmentation"
    shape = "(N, classes, height, width) or (N, height, width)" if maps else "(N, classes)"
    given = f"the graph gives {_listed(outputs)}."
    if not asked.labels:
        return f"No output has the shape {shape} that {asked.task} needs; {given}"
    return (
        f"{asked.labels_name} has {len(asked.labels)} labels, but no output has the shape {shape} "
        f"with so many classes; {given}"
    )


def _listed(outputs: Mapping[str, NDArray[Any]]) -> str:
    shown = [
        f"{name!r} {v.dtype.name} ({', '.join(['N', *map(str, v.shape[1:])])})"
        for name, v in list(outputs.items())[:_MOST_LISTED]
    ]
    return ", ".join(shown) + (", ..." if len(outputs) > _MOST_LISTED else "") or "none"
