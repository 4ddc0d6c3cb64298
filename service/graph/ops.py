"""How each ONNX operator changes what cells see of the input."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from service.contract.geometry import Window
from service.graph.cells import Cells, Sources
from service.graph.resampling import RESAMPLINGS, read_resampling
from service.graph.sight import PLACES, Sight, View, behind_unknown, meet
from service.graph.sources import through_transposed, through_window
from service.graph.step import Step
from service.graph.windows import (
    CONVOLUTIONS,
    POOLINGS,
    attributes,
    read_frames,
    read_windows,
)


def see_through(step: Step) -> Sight:
    """Return what the node's output sees; an unknown operator gives a sight that is lost."""
    rank = step.facts.rank(step.source)
    if rank != len(step.sight.layout):
        return _lost(step)
    sight = _HANDLERS.get(step.node.op_type, _lost)(step)
    return sight if step.rank in (None, len(sight.layout)) else _lost(step)


def _lost(step: Step) -> Sight:
    return behind_unknown(step.sights, step.rank)


def _same(step: Step) -> Sight:
    return step.sight


def _meet(step: Step) -> Sight:
    return meet(step.sights)


def _concat(step: Step) -> Sight:
    sight = meet(step.sights)
    letter = sight.layout[attributes(step.node)["axis"]]
    return sight if letter not in "HWF" else _lost(step)


def _split(step: Step) -> Sight:
    letter = step.sight.layout[attributes(step.node).get("axis", 0)]
    return step.sight if letter not in "HWF" else _lost(step)


def _window(step: Step) -> Sight:
    windows = read_windows(step.node, step.facts)
    if windows is None or "F" in step.sight.layout:
        return _lost(step)
    sight = step.sight
    if sight.layout[1] in PLACES and step.node.op_type in CONVOLUTIONS:
        if windows.groups != 1:
            return _lost(step)
        sight = _mixed(step, 1)  # such as the bands of a spectrogram, taken for channels
    for axis, letter in enumerate(sight.layout[2:]):
        if letter not in PLACES:
            continue
        window = windows.along(axis)
        if window is None:
            sight = sight.change(letter, sight.along(letter).lost())
        elif _takes_all(step, axis + 2, window):
            sight = _pooled(replace(step, sights=[sight]), [axis + 2], keep=True)
        else:
            through = _PASSAGES.get(step.node.op_type, through_window)
            sight = sight.change(letter, sight.along(letter).moved(partial(through, window=window)))
    return sight


_PASSAGES = {"ConvTranspose": through_transposed}


def _takes_all(step: Step, axis: int, window: Window) -> bool:
    """Whether a pooling window covers the whole axis, which makes the pooling global."""
    size = step.facts.size(step.source, axis)
    one = step.facts.size(step.node.output[0], axis) == 1
    return step.node.op_type in POOLINGS and one and size is not None and window.kernel >= size


def _global_pool(step: Step) -> Sight:
    return _pooled(step, range(2, len(step.sight.layout)), keep=True)


def _reduce(step: Step) -> Sight:
    rank = len(step.sight.layout)
    axes = step.integers("axes", 1)
    given = attributes(step.node)
    if axes is None and len(step.node.input) > 1 and step.node.input[1]:
        return _lost(step)
    if not axes and given.get("noop_with_empty_axes", 0):
        return step.sight
    return _pooled(step, axes or range(rank), keep=bool(given.get("keepdims", 1)))


def _pooled(step: Step, axes: Sequence[int], keep: bool) -> Sight:
    sight, layout = step.sight, list(step.sight.layout)
    for axis in {axis % len(layout) for axis in axes}:
        sight = sight.over(axis, step.facts.size(step.source, axis))
        layout[axis] = ("-" if layout[axis] in "HWF" else layout[axis]) if keep else ""
    return replace(sight, layout="".join(layout))


def _normalize_places(step: Step) -> Sight:
    """InstanceNormalization and its kin: statistics of all places, but the places remain."""
    return _pooled_in_place(step, range(2, len(step.sight.layout)))


def _along_axis(step: Step, default: int = -1, to_end: bool = False) -> Sight:
    """Softmax and layer norms mix the cells along an axis, or from there to the last one."""
    rank = len(step.sight.layout)
    axis = attributes(step.node).get("axis", default) % rank
    return _pooled_in_place(step, range(axis, rank) if to_end else [axis])


def _softmax(step: Step) -> Sight:
    opset = step.facts.opset
    return _along_axis(step) if opset >= 13 else _along_axis(step, default=1, to_end=True)


def _pooled_in_place(step: Step, axes: Sequence[int]) -> Sight:
    sight = step.sight
    for axis in axes:
        sight = sight.normalized(axis, step.facts.size(step.source, axis))
    return sight


def _gemm(step: Step) -> Sight:
    across = 0 if attributes(step.node).get("transA", 0) else 1
    if step.source != step.node.input[0] or across == 0 or step.sight.layout[0] != "N":
        return _lost(step)
    sight = step.sight.over(across, step.facts.size(step.source, across))
    return replace(sight, layout="NC")


def _matmul(step: Step) -> Sight:
    axis = _multiplied_axis(step)
    if axis is None:
        return _lost(step)
    if gathers_bands(step):
        bands = step.facts.size(step.node.output[0], axis)
        return step.sight.change("H", View(bands, Cells()))
    return _mixed(step, axis)


def gathers_bands(step: Step) -> bool:
    """Whether the node is a filterbank: it gathers a spectrogram's frequencies into bands.

    That is a product with the frequencies of a Fourier transform as it gave them. The bands are
    the height from there on, each a row by itself.
    """
    axis = _multiplied_axis(step) if step.node.op_type == "MatMul" else None
    if axis is None or len(step.sight.layout) < 2 or step.sight.layout[axis] != "H":
        return False
    return step.sight.height.frequencies and step.sight.height.cells == Cells()


def _multiplied_axis(step: Step) -> int | None:
    """Return the axis that a product with a constant matrix replaces, counted from the end."""
    left, right = step.node.input[:2]
    constant, axis = (right, -1) if step.source == left else (left, -2)
    fits = len(step.sources) == 1 and step.facts.rank(constant) == 2
    return axis if fits and len(step.sight.layout) >= -axis else None


def _mixed(step: Step, axis: int) -> Sight:
    """Return what channels see, each of which is computed from all cells along the axis."""
    sight = step.sight.over(axis, step.facts.size(step.source, axis))
    letters = list(sight.layout)
    letters[axis] = "C"
    return replace(sight, layout="".join(letters))


def _stft(step: Step) -> Sight:
    """Frames follow each other along W; their frequencies lie along H, which is a new axis."""
    frames, layout = read_frames(step.node, step.facts), step.sight.layout
    if frames is None or layout[:2] != "NW" or layout[2:] not in ("", "C", "-"):
        return _lost(step)
    rows = step.facts.size(step.node.output[0], 2)
    moved = step.sight.width.moved(partial(through_window, window=frames))
    return Sight("NWH-", View(rows, Cells(), frequencies=True), moved)


def _gather(step: Step) -> Sight:
    """Some cells along an axis without places; a single one takes the axis away."""
    picked = step.facts.rank(step.node.input[1])
    letters = list(step.sight.layout)
    axis = attributes(step.node).get("axis", 0) % len(letters)
    if step.sources != [step.node.input[0]] or letters[axis] in "NHWF" or picked not in (0, 1):
        return _lost(step)
    letters[axis] *= picked
    return replace(step.sight, layout="".join(letters))


def _transpose(step: Step) -> Sight:
    layout = step.sight.layout
    order = attributes(step.node).get("perm", range(len(layout) - 1, -1, -1))
    return replace(step.sight, layout="".join(layout[axis] for axis in order))


def _pad(step: Step) -> Sight:
    rank = len(step.sight.layout)
    pads = step.integers("pads", 1)
    axes = step.integers("axes", 3) or list(range(rank))
    if pads is None or len(pads) != 2 * len(axes):
        return _lost(step)
    sight = step.sight
    for axis, begin in zip(axes, pads[: len(axes)], strict=True):
        sight = _shifted(sight, axis, -begin)
    return sight


def _slice(step: Step) -> Sight:
    starts, ends = step.integers("starts", 1), step.integers("ends", 2)
    if starts is None or ends is None:
        return _lost(step)
    axes = step.integers("axes", 3) or list(range(len(starts)))
    strides = step.integers("steps", 4) or [1] * len(starts)
    sight = step.sight
    for axis, start, stride in zip(axes, starts, strides, strict=True):
        size = step.facts.size(step.source, axis)
        if size is None or stride < 1:
            return _lost(step)
        begin = max(0, start + size) if start < 0 else min(start, size)
        sight = _shifted(sight, axis, begin, stride)
    return sight


def _shifted(sight: Sight, axis: int, skipped: int, stride: int = 1) -> Sight:
    letter = sight.layout[axis]
    if letter not in PLACES:
        return sight

    def move(along: Cells) -> Cells | None:
        def sources(cell: int) -> tuple[int, int]:
            return (cell * stride + skipped,) * 2

        return along.read_by(sources, advance=stride)

    return sight.change(letter, sight.along(letter).moved(move))


def _space_to_depth(step: Step) -> Sight:
    """Squares of cells become channels of one cell."""
    side = attributes(step.node)["blocksize"]
    return _by_squares(step, lambda cell: (cell * side, cell * side + side - 1), advance=side)


def _depth_to_space(step: Step) -> Sight:
    """Channels of one cell become a square of cells."""
    side = attributes(step.node)["blocksize"]
    return _by_squares(step, lambda cell: (cell // side,) * 2, every=side)


def _by_squares(step: Step, sources: Sources, every: int = 1, advance: int = 1) -> Sight:
    sight = step.sight
    if sight.layout != "NCHW":
        return _lost(step)
    for letter in PLACES:
        view = sight.along(letter)
        moved = view.moved(lambda cells: cells.read_by(sources, every, advance))
        sight = sight.change(letter, moved)
    return sight


def _resize(step: Step) -> Sight:
    if "F" in step.sight.layout:
        return _lost(step)
    sight = step.sight
    for axis, letter in enumerate(sight.layout):
        if letter in PLACES:
            resampling = read_resampling(step.node, step.facts, axis)
            view = sight.along(letter)
            moved = view.moved(resampling.through) if resampling else view.lost()
            sight = sight.change(letter, moved)
    return sight


def _squeeze(step: Step) -> Sight:
    shape = step.facts.shape(step.source) or ()
    axes = step.integers("axes", 1) or [axis for axis, size in enumerate(shape) if size == 1]
    gone = {axis % len(step.sight.layout) for axis in axes}
    kept = (letter for axis, letter in enumerate(step.sight.layout) if axis not in gone)
    return replace(step.sight, layout="".join(kept))


def _unsqueeze(step: Step) -> Sight:
    axes = step.integers("axes", 1)
    if axes is None:
        return _lost(step)
    if axes == [1] and step.sight.layout == "NCW" and step.sight.height.extent == 1:
        # what were the channels of a sequence are the rows of a picture from here on
        rows = View(step.facts.size(step.source, 1), Cells())
        return replace(step.sight, layout="NCHW", height=rows)
    letters = list(step.sight.layout)
    for axis in sorted(axis % (len(letters) + len(axes)) for axis in axes):
        letters.insert(axis, "-" if "C" in letters else "C")
    return replace(step.sight, layout="".join(letters))


def _flatten(step: Step) -> Sight:
    axis = attributes(step.node).get("axis", 1)
    return _fold(step, 1, 0) if axis == 1 else _lost(step)


def _reshape(step: Step) -> Sight:
    """Keep the axes that agree from either end; whatever lies between is folded into one."""
    old, new = step.facts.shape(step.source), step.facts.shape(step.node.output[0])
    if old is None or new is None or None in old or None in new:
        return _lost(step)
    front = 0
    while front < min(len(old), len(new)) and old[front] == new[front]:
        front += 1
    back = 0
    while back < min(len(old), len(new)) - front and old[-1 - back] == new[-1 - back]:
        back += 1
    return _fold(step, front, back) if front else _lost(step)


def _fold(step: Step, front: int, back: int) -> Sight:
    """Reshape all axes but the first `front` and the last `back` ones."""
    layout, rank = step.sight.layout, step.rank
    if rank is None:
        return _lost(step)
    inside = layout[front : len(layout) - back]
    sight = step.sight
    for axis, letter in enumerate(inside, start=front):
        if letter in PLACES:
            size = step.facts.size(step.source, axis)
            sight = sight.change(letter, replace(sight.along(letter), folded=size))
    return replace(sight, layout=_refolded(layout, inside, rank - front - back, front, back))


def _refolded(layout: str, inside: str, count: int, front: int, back: int) -> str:
    places = any(letter in "HWF" for letter in inside)
    first = "F" if places else ("C" if "C" in inside or not inside else "-")
    middle = (first + ("F" if places else "-") * count)[:count]
    return layout[:front] + middle + layout[len(layout) - back :]


_SAME = """
    Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization Cast CastLike Ceil Celu Clip Cos Cosh
    DequantizeLinear Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LRN LeakyRelu Log
    Mish Neg Not QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus
    Softsign Sqrt Swish Tan Tanh ThresholdedRelu
""".split()  # noqa: SIM905, a list would take a line a name
_MEET = """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub
    Sum Where Xor
""".split()  # noqa: SIM905, a list would take a line a name
_REDUCE = """
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare
""".split()  # noqa: SIM905, a list would take a line a name

_HANDLERS: dict[str, Callable[[Step], Sight]] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_MEET, _meet),
    **dict.fromkeys(_REDUCE, _reduce),
    **dict.fromkeys([*CONVOLUTIONS, *POOLINGS], _window),
    **dict.fromkeys(RESAMPLINGS, _resize),
    **dict.fromkeys(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"], _global_pool),
    **dict.fromkeys(["InstanceNormalization", "GroupNormalization"], _normalize_places),
    **dict.fromkeys(["Softmax", "LogSoftmax", "Hardmax"], _softmax),
    "LayerNormalization": partial(_along_axis, to_end=True),
    "Concat": _concat,
    "DepthToSpace": _depth_to_space,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "STFT": _stft,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
