"""What stands in front of a graph, so that it takes what our own models take."""

import numpy as np
from onnx import TensorProto

from service.adopt.inputs import GraphInput
from service.adopt.pictures import PictureInput
from service.adopt.pieces import Piece
from service.adopt.presets import Normalisation

PICTURES, SOUNDS = "images", "waveforms"
_PATH = "preprocess"


def picture_prologue(picture: PictureInput, normalisation: Normalisation, opset: int) -> Piece:
    """Return the way from `images`, (N, H, W, C) uint8, to what the graph takes.

    Bytes are turned round before they become floats of four times the size.
    """
    piece = Piece(_PATH, PICTURES, opset)
    first = picture.layout == "NCHW"
    if normalisation.reverse:
        piece.add("Gather", piece.constant("order", np.array([2, 1, 0])), axis=3)
    if first:
        piece.add("Transpose", perm=[0, 3, 1, 2])
    if picture.given.elem_type == TensorProto.UINT8:
        return piece
    piece.add("Cast", to=TensorProto.FLOAT)
    if not normalisation.is_identity:
        mean, factor = (
            values[::-1] if normalisation.reverse else values
            for values in (
                np.array(normalisation.mean) * 255,
                1 / (np.array(normalisation.std) * 255),
            )
        )
        shape = (-1, 1, 1) if first else (-1,)
        if mean.any():
            piece.add("Sub", piece.constant("mean", mean.astype(np.float32).reshape(shape)))
        piece.add("Mul", piece.constant("scale", factor.astype(np.float32).reshape(shape)))
    _cast(piece, picture.given)
    return piece


def sound_prologue(given: GraphInput, scale: float, opset: int) -> Piece:
    """Return the way from `waveforms`, (N, samples) float32, to what the graph takes."""
    piece = Piece(_PATH, SOUNDS, opset)
    if len(given.axes) == 3:
        piece.add("Reshape", piece.constant("shape", np.array([0, 1, -1])))
    if scale != 1:
        piece.add("Mul", piece.constant("scale", np.float32(scale)))
    _cast(piece, given)
    return piece


def _cast(piece: Piece, given: GraphInput) -> None:
    if given.elem_type != TensorProto.FLOAT:
        piece.add("Cast", to=given.elem_type)
