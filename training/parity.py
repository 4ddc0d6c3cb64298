"""PyTorch against ONNX Runtime: an exported graph must be the net that was trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.manifest import Parity
from service.contract.specs import FREE_SIZE, ImagePreprocessing
from service.device import ON_CPU
from service.runtime import Session, open_session
from training.deployed import Deployed
from training.taps import ExportError

_LARGEST_DIFFERENCE = 1e-4  # of a probability
_LARGEST_SHARE = 1e-3  # of a value, by which it may differ
Arrays = dict[str, NDArray[Any]]
Inputs = NDArray[Any]  # (N, H, W, C) uint8 pictures or (N, window_samples) float32 waveforms


def pytorch_outputs(deployed: Deployed, inputs: Inputs) -> Arrays:
    """Return what the net gives for the inputs, by the name of the output."""
    with torch.inference_mode():
        outputs = deployed(torch.from_numpy(inputs))
    return {name: output.numpy() for name, output in zip(deployed.roles, outputs, strict=True)}


def check_parity(
    graph: Path, deployed: Deployed, inputs: Inputs, batch_sizes: Sequence[int]
) -> Parity:
    """Return how the graph agreed with the net on the inputs, in batches of each size.

    A decision is the class of an input, or of a pixel. The graph may decide otherwise than the
    net only at a tie: where the net's two best probabilities differ by less than 1e-4.
    Of a net that measures, values may differ by a thousandth.
    Raises: ExportError if it does anywhere else, or a probability differs by more than 1e-4.
    """
    session = open_session(graph, str(graph), ON_CPU)
    name = deployed.input_name
    if deployed.roles == ("values",):
        return _parity_of_values(session, deployed, inputs, batch_sizes)
    decisions, worst = 0, 0.0
    same = dict.fromkeys(batch_sizes, 0)
    for chunk in _parts(inputs, max(batch_sizes)):
        expected = pytorch_outputs(deployed, chunk)
        probabilities, chosen = expected["probabilities"], _decisions(expected)
        decisions += chosen.size
        two = np.partition(probabilities, -2, axis=1)[:, -2:]
        is_tie = two[:, 1] - two[:, 0] < _LARGEST_DIFFERENCE
        for size in batch_sizes:
            ours = _run(session, name, chunk, size)
            agrees = _decisions(ours) == chosen
            same[size] += int(np.count_nonzero(agrees))
            worst = max(worst, _difference(ours["probabilities"], probabilities))
            wrong = int(np.count_nonzero(~agrees & ~is_tie))
            if wrong or not worst <= _LARGEST_DIFFERENCE:
                raise ExportError(
                    f"ONNX Runtime chose another class than PyTorch {wrong} times out of "
                    f"{chosen.size}; probabilities differ by up to {worst:.2g}"
                )
    return Parity(
        images=len(inputs),
        decisions=decisions if decisions > len(inputs) else None,
        batch_sizes=tuple(batch_sizes),
        same_argmax=min(same.values()),
        max_probability_difference=worst,
    )


def _parity_of_values(
    session: Session, deployed: Deployed, inputs: Inputs, batch_sizes: Sequence[int]
) -> Parity:
    worst = 0.0
    for chunk in _parts(inputs, max(batch_sizes)):
        expected = pytorch_outputs(deployed, chunk)["values"]
        for size in batch_sizes:
            ours = _run(session, deployed.input_name, chunk, size)["values"]
            worst = max(worst, _difference(ours / expected, np.float32(1)))
            if not worst <= _LARGEST_SHARE:
                raise ExportError(f"values of ONNX Runtime and PyTorch differ by {worst:.2%}")
    return Parity(images=len(inputs), batch_sizes=tuple(batch_sizes), max_value_difference=worst)


def outputs_at_sizes(deployed: Deployed) -> list[tuple[Inputs, Arrays]]:
    """Return inputs of several sizes and the net's outputs for them; none if it takes one size.

    Raises: ExportError if the net does not take what `multiple` promises.
    """
    spec = deployed.spec
    if not isinstance(spec, ImagePreprocessing) or spec.resize not in FREE_SIZE:
        return []
    random, found = np.random.default_rng(0), []
    for batch, rows, columns in ((1, 1, 1), (3, 2, 3), (1, 1, 7), (2, 5, 1)):
        shape = (batch, rows * spec.multiple, columns * spec.multiple, spec.channels)
        inputs = random.integers(0, 256, shape, np.uint8)
        try:
            found.append((inputs, pytorch_outputs(deployed, inputs)))
        except (RuntimeError, ValueError) as error:
            raise ExportError(
                f"the recipe promises any multiple of {spec.multiple}, "
                f"but not even PyTorch takes {_size(inputs)}: {error}"
            ) from error
    return found


def check_sizes(graph: Path, expected: Sequence[tuple[Inputs, Arrays]]) -> None:
    """Hold the graph against the net's outputs for pictures of other sizes than it was traced with.

    Raises: ExportError if it does not take one of them, or gives something else.
    """
    session = open_session(graph, str(graph), ON_CPU)
    for inputs, outputs in expected:
        try:
            ours = session.run({"images": inputs})["probabilities"]
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            raise ExportError(f"the graph does not take {_size(inputs)}: {error}") from error
        theirs = outputs["probabilities"]
        if ours.shape != theirs.shape or not _difference(ours, theirs) <= _LARGEST_DIFFERENCE:
            raise ExportError(f"the graph and the net differ on {_size(inputs)}")


def _size(inputs: Inputs) -> str:
    return f"{len(inputs)} of {inputs.shape[1]} x {inputs.shape[2]} pixels (height x width)"


def _difference(ours: NDArray[Any], expected: NDArray[Any] | np.float32) -> float:
    return float(np.abs(ours - expected).max())


def _parts(inputs: Inputs, size: int) -> Iterator[Inputs]:
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]


def _run(session: Session, name: str, inputs: Inputs, batch: int) -> Arrays:
    parts = [session.run({name: part}) for part in _parts(inputs, batch)]
    return {role: np.concatenate([part[role] for part in parts]) for role in parts[0]}


def _decisions(outputs: Arrays) -> NDArray[Any]:
    """Return the classes chosen, (N,) or (N, H, W)."""
    return outputs["mask"] if "mask" in outputs else outputs["probabilities"].argmax(1)
