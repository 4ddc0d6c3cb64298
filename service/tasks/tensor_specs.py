"""The tensors that a model's graph takes and gives, as the Open Inference Protocol spells them."""

from collections.abc import Iterable
from typing import NamedTuple

from service.contract.manifest import Dtype, Manifest, Tensor

_DATATYPES: dict[Dtype, str] = {"uint8": "UINT8", "float32": "FP32"}


class TensorSpec(NamedTuple):
    """A tensor of the deployed graph.

    datatype: one of the protocol's, such as "UINT8" or "FP32".
    shape: the batch axis first, which is always -1; -1 too for axes that follow the input's size.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


def tensor_specs(manifest: Manifest) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and the outputs of the graph that answers requests.

    A graph whose batch has a fixed size says -1 as well: batches are cut and filled up for it.
    """
    return _specs(manifest.graph.inputs), _specs(manifest.graph.outputs)


def _specs(tensors: Iterable[Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            tensor.name,
            _DATATYPES[tensor.dtype],
            (-1, *(-1 if size is None else size for size in tensor.shape[1:])),
        )
        for tensor in tensors
    )
