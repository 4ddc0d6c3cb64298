"""A graph that takes pictures of any size, for one size."""

import onnx


def at_size(model: onnx.ModelProto, size: tuple[int, ...]) -> onnx.ModelProto:
    """Return the model with its picture's open height and width set to `size`.

    Of a model that leaves neither open, that is the model itself.
    The picture is the first input, (N, H, W, C) uint8. The size of sounds is never open.
    """
    axes = model.graph.input[0].type.tensor_type.shape.dim[1:3]
    if len(axes) < 2 or all(axis.HasField("dim_value") for axis in axes):
        return model
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    for axis, pixels in zip(
        sized.graph.input[0].type.tensor_type.shape.dim[1:3], size, strict=True
    ):
        axis.dim_value = pixels
    return sized
