"""Runs the original file, item by item, so that what is composed can be held against it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.adopt.refusal import CannotAdd
from service.adopt.source import Source
from service.contract.errors import InvalidModel
from service.device import Placement
from service.runtime import Session, open_session

Outputs = dict[str, NDArray[Any]]


class Original:
    """The file as ONNX Runtime runs it, on the CPU."""

    def __init__(self, source: Source, placement: Placement) -> None:
        """Raises: CannotAdd if ONNX Runtime refuses the graph."""
        self._shown_as = str(source.path)
        try:
            self.session: Session = open_session(source.content, source.path.name, placement)
        except InvalidModel as error:
            raise CannotAdd(f"{source.path}: {error.reason}.") from error

    def run(self, inputs: NDArray[Any], batch: int | None) -> Outputs:
        """Return the outputs for the inputs, run one at a time, or so many as the graph takes.

        Outputs that are no tensor of the batch, or no tensor at all, are left out.
        Raises: CannotAdd if it fails, or does not give the same twice.
        """
        size = batch or 1
        parts = [
            self._run(_filled(inputs[i : i + size], size)) for i in range(0, len(inputs), size)
        ]
        again = self._run(_filled(inputs[:size], size))
        for name, values in again.items():
            if not np.allclose(values, parts[0][name], 1e-3, 1e-4, equal_nan=True):
                raise CannotAdd(
                    f"{self._shown_as}: the output {name!r} differs from run to run; export the "
                    "net in evaluation mode."
                )
        return {name: np.concatenate([p[name] for p in parts])[: len(inputs)] for name in parts[0]}

    def _run(self, inputs: NDArray[Any]) -> Outputs:
        name = self.session.inputs[0].name
        try:
            found = self.session.run({name: inputs})
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            told = " ".join(str(error).split())[:300]
            raise CannotAdd(
                f"{self._shown_as}: the graph fails on an input {inputs.shape}: {told}"
            ) from error
        return {
            name: values
            for name, values in found.items()
            if values.dtype.kind in "fiub" and values.ndim and len(values) == len(inputs)
        }


def _filled(inputs: NDArray[Any], size: int) -> NDArray[Any]:
    """Return so many inputs, the last one repeated."""
    missing = size - len(inputs)
    return np.concatenate([inputs, *([inputs[-1:]] * missing)]) if missing else inputs
