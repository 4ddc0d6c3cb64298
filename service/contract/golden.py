"""The golden check: a graph must give what PyTorch, or the file it was made of, gave for it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidModel
from service.contract.manifest import Golden, Graph, Tensor

Arrays = Mapping[str, NDArray[Any]]
GOLDEN_NAME = "golden.npz"
# Share of a mask's pixels that may differ: where two classes tie, the last bit decides.
_TIED_PIXELS = 1e-3


def write_golden(file: Path, inputs: Arrays, outputs: Arrays) -> None:
    """Write the arrays, keyed by tensor name, as one compressed npz without pickles."""
    keyed = {f"input.{name}": array for name, array in inputs.items()}
    keyed |= {f"output.{name}": array for name, array in outputs.items()}
    np.savez_compressed(file, **keyed)  # type: ignore[arg-type]


def check_golden(
    file: Path, golden: Golden, graph: Graph, run: Callable[[Arrays], Arrays], shown_as: str
) -> float:
    """Run the golden inputs and return the largest absolute difference of any output but a mask.

    run: takes arrays by input name and returns arrays by output name.
    shown_as: the file's name in error messages.
    Raises: InvalidModel if an array is missing, misshapen or differs by more than
        `golden.atol + golden.rtol * |expected|` anywhere, or a mask at too many pixels.
    """
    stored = _load(file, shown_as)
    inputs = {
        tensor.name: _array(stored, f"input.{tensor.name}", shown_as) for tensor in graph.inputs
    }
    expected = {
        tensor.name: _array(stored, f"output.{tensor.name}", shown_as) for tensor in graph.outputs
    }
    return largest_difference(run(inputs), expected, graph.outputs, golden, shown_as)


def largest_difference(
    answers: Arrays, expected: Arrays, outputs: Iterable[Tensor], golden: Golden, shown_as: str
) -> float:
    """Return the largest absolute difference of any output but a mask.

    answers, expected: by output name.
    Raises: InvalidModel if there is more of it than `golden` allows, as for `check_golden`.
    """
    worst = 0.0
    for tensor in outputs:
        wanted, answer = expected[tensor.name], answers[tensor.name]
        _check_shape(tensor.name, wanted, answer, shown_as)
        if tensor.role == "probabilities" and wanted.ndim == 4 and np.isin(wanted, (0, 1)).all():
            # made of indices of classes, where two may tie as well
            _compare_masks(tensor.name, wanted.argmax(1), answer.argmax(1), shown_as)
        elif tensor.role == "mask":
            _compare_masks(tensor.name, wanted, answer, shown_as)
        else:
            worst = max(worst, _compare(tensor.name, wanted, answer, golden, shown_as))
    return worst


def _load(file: Path, shown_as: str) -> dict[str, NDArray[Any]]:
    try:
        # opened here, because np.load leaves the file open when it is no zip
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except Exception as error:  # npz files can be broken in a dozen ways, each with its own class
        raise InvalidModel(shown_as, f"cannot be read as npz: {error}") from error


def _array(stored: Arrays, key: str, shown_as: str) -> NDArray[Any]:
    if key not in stored:
        raise InvalidModel(shown_as, f"has no array {key!r}; it has {sorted(stored)}")
    return stored[key]


def _check_shape(name: str, expected: NDArray[Any], answer: NDArray[Any], shown_as: str) -> None:
    if expected.shape != answer.shape:
        raise InvalidModel(
            shown_as, f"output {name!r} has shape {answer.shape}, golden {expected.shape}"
        )
    if expected.size == 0:
        raise InvalidModel(shown_as, f"output {name!r} is empty, so nothing can be checked")


def _compare_masks(name: str, expected: NDArray[Any], answer: NDArray[Any], shown_as: str) -> None:
    differing = int(np.count_nonzero(expected != answer))
    if differing > _TIED_PIXELS * expected.size:
        raise InvalidModel(
            shown_as,
            f"output {name!r} differs from the golden one at {differing} of {expected.size} pixels",
        )


def _compare(
    name: str,
    expected: NDArray[Any],
    answer: NDArray[Any],
    golden: Golden,
    shown_as: str,
) -> float:
    expected = expected.astype(np.float64)
    difference = np.abs(answer.astype(np.float64) - expected)
    # written as "not within" so that a NaN on either side fails too
    if not np.all(difference <= golden.atol + golden.rtol * np.abs(expected)):
        raise InvalidModel(
            shown_as,
            f"output {name!r} differs from the golden one by up to {np.max(difference):.3g} "
            f"(allowed: atol {golden.atol:g}, rtol {golden.rtol:g})",
        )
    return float(np.max(difference))
