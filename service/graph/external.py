"""Weights that lie in files of their own beside the graph."""

from collections.abc import Iterator, Mapping

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import ModelProto as ModelProto

from service.contract.errors import InvalidModel

_EXTERNAL = onnx.TensorProto.EXTERNAL


def external_files(content: bytes, shown_as: str) -> set[str]:
    """Return the names of the files in which the graph says that its weights lie.

    Raises: InvalidModel if the content is no graph.
    """
    return {_entries(tensor).get("location", "") for tensor in _external(_parse(content, shown_as))}


def parse_graph(content: bytes, files: Mapping[str, bytes], shown_as: str) -> onnx.ModelProto:
    """Return the graph with all its weights inside; nothing is read from disk.

    files: by name, the content of the files in which weights lie.
    Raises: InvalidModel if the content is no graph, or a file is missing or too short.
    """
    model = _parse(content, shown_as)
    for tensor in _external(model):
        entries = _entries(tensor)
        data = files.get(entries.get("location", ""), b"")
        begin = int(entries.get("offset", 0))
        end = begin + int(entries["length"]) if "length" in entries else len(data)
        if not 0 <= begin <= end <= len(data):
            raise InvalidModel(
                shown_as, f"has weights {tensor.name!r} beyond the end of their file"
            )
        tensor.raw_data = data[begin:end]
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    return model


def _parse(content: bytes, shown_as: str) -> onnx.ModelProto:
    try:
        model: ModelProto = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise InvalidModel(shown_as, "is no ONNX graph") from error
    return model


def _external(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [tensor for tensor in _tensors(model) if tensor.data_location == _EXTERNAL]


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Yield every tensor, wherever it hides: in attributes, inner graphs, functions too."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type:
            for part in [value] if isinstance(value, Message) else value:
                yield from _tensors(part)


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}
