"""What stands behind a graph, so that it gives what our own models give."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from service.adopt.head import Head
from service.adopt.pieces import Piece
from service.adopt.refusal import CannotAdd

_PATH = "postprocess"
# The smallest probability that its logarithm is taken of.
LEAST = 1e-30
_RESIZES = 11  # the opset from which on an operator says how it measures places


@dataclass(frozen=True)
class Epilogue:
    """The nodes, and the outputs that they end in, each named by its role."""

    piece: Piece
    roles: tuple[str, ...]


def class_epilogue(
    head: Head, source: str, elem_type: int, opset: int, with_logits: bool
) -> Epilogue:
    """Return the way from the head (N, classes, 1...) to `probabilities` and, if told, `logits`.

    with_logits: also of a graph that gives probabilities: their logarithm then, of which the
        softmax is the same probabilities.
    """
    piece = Piece(_PATH, source, opset)
    if elem_type != TensorProto.FLOAT:
        piece.add("Cast", to=TensorProto.FLOAT)
    if len(head.shape) > 2:
        piece.add("Flatten", axis=1)
    if head.single:
        _two_of_one(piece, head)
    elif head.gives == "logits":
        piece.end("logits")
        piece.add("Softmax", name="probabilities", axis=1)
        return Epilogue(piece, ("probabilities", "logits"))
    piece.end("probabilities")
    if not with_logits:
        return Epilogue(piece, ("probabilities",))
    piece.add("Max", piece.constant("least", np.float32(LEAST)))
    piece.add("Log", name="logits")
    return Epilogue(piece, ("probabilities", "logits"))


def map_epilogue(
    head: Head, source: str, elem_type: int, opset: int, size: tuple[int, int]
) -> Epilogue:
    """Return the way from maps, or indices of classes, to `mask` and `probabilities`.

    size: of the input for which the head has its shape; smaller maps are enlarged by as much.
    """
    piece = Piece(_PATH, source, opset)
    if head.gives == "mask":
        return _of_indices(piece, head, size)
    if elem_type != TensorProto.FLOAT:
        piece.add("Cast", to=TensorProto.FLOAT)
    if head.axis == 3:
        piece.add("Transpose", perm=[0, 3, 1, 2])
    _enlarge(piece, head.sides, size, opset)
    if head.single:
        _two_of_one(piece, head)
    elif head.gives == "logits":
        _softmax_over_maps(piece)
    piece.end("probabilities")
    piece.add("ArgMax", axis=1, keepdims=0)
    piece.add("Cast", name="mask", to=TensorProto.UINT8)
    return Epilogue(piece, ("mask", "probabilities"))


def _of_indices(piece: Piece, head: Head, size: tuple[int, int]) -> Epilogue:
    """Probabilities of a graph that gives classes only: one at the class, zero elsewhere."""
    if head.sides != size:
        raise CannotAdd(
            f"The output {head.name!r} has indices of classes at {head.sides[0]}x{head.sides[1]} "
            f"px, but the input has {size[0]}x{size[1]} px: indices cannot be enlarged."
        )
    piece.add("Cast", to=TensorProto.INT32)
    if len(head.shape) == 4:
        piece.with_axis("Squeeze", 1 if head.shape[1] == 1 else 3)
    indices = piece.last
    piece.with_axis("Unsqueeze", 1)
    classes = np.arange(head.classes, dtype=np.int32).reshape(1, -1, 1, 1)
    piece.add("Equal", piece.constant("classes", classes))
    piece.add("Cast", name="probabilities", to=TensorProto.FLOAT)
    piece.add("Cast", source=indices, name="mask", to=TensorProto.UINT8)
    return Epilogue(piece, ("mask", "probabilities"))


def _enlarge(piece: Piece, own: tuple[int, int], size: tuple[int, int], opset: int) -> None:
    if own == size:
        return
    if opset < _RESIZES:
        raise CannotAdd(
            f"The maps have {own[0]}x{own[1]} px for an input of {size[0]}x{size[1]} px, and opset "
            f"{opset} cannot enlarge them well: export it in opset {_RESIZES} or later."
        )
    factors = [1, 1, size[0] / own[0], size[1] / own[1]]
    scales = piece.constant("scales", np.array(factors, np.float32))
    region = piece.constant("region", np.empty(0, np.float32))
    piece.add("Resize", region, scales, mode="linear", coordinate_transformation_mode="half_pixel")


def _two_of_one(piece: Piece, head: Head) -> None:
    """Probabilities of two classes from the number of the second one alone."""
    if head.gives == "logits":
        piece.add("Sigmoid")
    second = piece.last
    piece.add("Neg")
    first = piece.add("Add", piece.constant("one", np.float32(1)))
    piece.add("Concat", second, source=first, axis=1)


def _softmax_over_maps(piece: Piece) -> None:
    """Softmax over the channels; before opset 13 the operator goes on to the last axis."""
    piece.add("Transpose", perm=[0, 2, 3, 1])
    piece.add("Softmax", axis=3)
    piece.add("Transpose", perm=[0, 3, 1, 2])
