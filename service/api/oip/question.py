"""What a request asks of a model: items for its queue, and the outputs that are wanted of it."""

from collections.abc import Sequence
from threading import Event
from typing import NamedTuple

from service.api.oip.tensor import BYTES, SentTensor
from service.api.oip.wire import InferRequest, WantedOutput, read_request
from service.contract.errors import InvalidParameter, TooLarge
from service.tasks.catalog import ServedModel
from service.tasks.tensors import Encoded, Rows

_FILES_SHAPE = "[N] or [N, 1]"


class Question(NamedTuple):
    """A request that fits the model, without what was read of its text.

    id: to be sent back. timeout_s: after which the answer is of no use.
    items: for the queue, and what each weighs. wanted: in the order in which they are sent back.
    gone: to be set when nobody waits for the answer any more; None where nobody would look.
    """

    id: str | None
    timeout_s: float | None
    items: Sequence[Rows | Encoded]
    weights: Sequence[int]
    wanted: Sequence[WantedOutput]
    gone: Event | None = None


def read_question(model: ServedModel, body: bytes, json_bytes: int, max_files: int) -> Question:
    """Return what the body asks of the model; blocks for as long as it takes to read the JSON.

    A body without any JSON is a file for the model's input, and its outputs come as bytes.
    Raises: as `read_request`; InvalidParameter if the model has no such inputs or outputs, or
        takes other values; TooLarge.
    """
    if body and not json_bytes:
        return _raw(model, body)
    asked = read_request(body, json_bytes)
    wanted = _wanted(model, asked)
    sent = _only_input(model, asked)
    spec = model.tensors.inputs[0]
    if sent.datatype == BYTES:
        gone = Event()
        files = _files(sent, max_files)
        items = [Encoded(data, gone, len(files)) for data in files]
        return Question(asked.id, asked.timeout_s, items, [1] * len(items), wanted, gone)
    if sent.datatype != spec.datatype:
        what = "sounds" if model.listens else "pictures"
        raise InvalidParameter(
            f"The input {spec.name!r} takes {spec.datatype} {list(spec.shape)}, or BYTES "
            f"{_FILES_SHAPE} with {what} as files, not {sent.datatype}."
        )
    model.tensors.check_shape(sent.shape)
    blocks = list(model.tensors.blocks(sent.array()))
    weights = [len(rows.array) for rows in blocks]
    return Question(asked.id, asked.timeout_s, blocks, weights, wanted)


def _raw(model: ServedModel, file: bytes) -> Question:
    gone = Event()
    wanted = [WantedOutput(spec.name, binary=True) for spec in model.tensors.outputs]
    return Question(None, None, [Encoded(file, gone, 1)], [1], wanted, gone)


def _only_input(model: ServedModel, asked: InferRequest) -> SentTensor:
    """Return the input; models have one. Raises: InvalidParameter if others came, or none."""
    (name, *_) = known = [spec.name for spec in model.tensors.inputs]
    for sent in asked.inputs:
        if sent.name not in known:
            raise InvalidParameter(
                f"The model {model.manifest.name!r} has no input {sent.name[:200]!r}; "
                f"its input is {name!r}."
            )
    if len(asked.inputs) > 1:
        raise InvalidParameter(f"The input {name!r} came {len(asked.inputs)} times.")
    return asked.inputs[0]


def _files(sent: SentTensor, max_files: int) -> list[bytes]:
    if not (len(sent.shape) == 1 or (len(sent.shape) == 2 and sent.shape[1] == 1)):
        raise InvalidParameter(
            f"The input {sent.name!r} of BYTES takes the shape {_FILES_SHAPE}, "
            f"not {list(sent.shape)}."
        )
    if sent.count < 1:
        raise InvalidParameter(f"The input {sent.name!r} of BYTES needs at least one element.")
    if sent.count > max_files:
        raise TooLarge(f"At most {max_files} files are taken at once.")
    return sent.elements()


def _wanted(model: ServedModel, asked: InferRequest) -> Sequence[WantedOutput]:
    """Return the outputs that were asked for, or all. Raises: InvalidParameter; WrongTask."""
    specs = {spec.name: spec for spec in model.tensors.outputs}
    if asked.outputs is None:
        return [WantedOutput(name, asked.binary) for name in specs]
    seen = set()
    for output in asked.outputs:
        if output.name not in specs:
            raise InvalidParameter(
                f"The model {model.manifest.name!r} has no output {output.name[:200]!r}; "
                f"it has {', '.join(map(repr, specs))}."
            )
        if output.name in seen:
            raise InvalidParameter(f"The output {output.name!r} is asked for twice.")
        seen.add(output.name)
        if output.classes is not None:
            model.check_has_classes("classification")
            classes = len(model.manifest.labels)
            if specs[output.name].shape != (-1, classes):
                raise InvalidParameter(
                    f"The output {output.name!r} is no list of {classes} classes: "
                    "classification is not for it."
                )
    return asked.outputs
