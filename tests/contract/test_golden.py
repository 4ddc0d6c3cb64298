from pathlib import Path

import numpy as np
import pytest

from service.contract.errors import InvalidModel
from service.contract.golden import Arrays, check_golden, write_golden
from service.contract.manifest import FileRef, Golden, Graph, Tensor

REF = FileRef(path="golden.npz", sha256="0" * 64)
GOLDEN = Golden(file=REF, atol=0.01, rtol=0.1)
GRAPH = Graph(
    file=REF,
    opset=20,
    inputs=(Tensor(name="x", dtype="float32", shape=(None,)),),
    outputs=(Tensor(name="y", dtype="float32", shape=(None,)),),
)


def check(file: Path, answer: np.ndarray) -> float:
    def run(inputs: Arrays) -> Arrays:
        assert inputs["x"].tolist() == [1, 2]
        return {"y": answer}

    return check_golden(file, GOLDEN, GRAPH, run, "m/1/golden.npz")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "golden.npz"
    write_golden(file, {"x": np.array([1.0, 2.0])}, {"y": np.array([0.0, 1.0])})
    return file


def test_largest_difference_within_tolerance_is_returned(file: Path) -> None:
    """atol counts everywhere, rtol in proportion to the golden value."""
    assert check(file, np.array([0.01, 1.1])) == pytest.approx(0.1)


@pytest.mark.parametrize("answer", [[0.02, 1.0], [0.0, 1.12], [np.nan, 1.0], [0.0, np.inf]])
def test_difference_beyond_tolerance_is_refused(file: Path, answer: list[float]) -> None:
    """Too far off, NaN and infinity all fail."""
    with pytest.raises(InvalidModel, match="output 'y' differs"):
        check(file, np.array(answer))


def test_nan_among_the_golden_values_is_refused(file: Path) -> None:
    """A golden file that proves nothing does not pass."""
    write_golden(file, {"x": np.array([1.0, 2.0])}, {"y": np.array([np.nan, 1.0])})
    with pytest.raises(InvalidModel, match="differs"):
        check(file, np.array([np.nan, 1.0]))


def test_another_shape_is_refused(file: Path) -> None:
    """Shapes must agree before values can."""
    with pytest.raises(InvalidModel, match="has shape"):
        check(file, np.array([0.0]))


def test_missing_array_is_named(file: Path) -> None:
    """An npz without the output says which array it lacks."""
    write_golden(file, {"x": np.array([1.0, 2.0])}, {})
    with pytest.raises(InvalidModel, match=r"no array 'output\.y'"):
        check(file, np.array([0.0, 1.0]))


def test_nothing_to_compare_is_refused(file: Path) -> None:
    """A golden file without a single value does not pass for agreement."""
    write_golden(file, {"x": np.array([1.0, 2.0])}, {"y": np.array([])})
    with pytest.raises(InvalidModel, match="empty"):
        check(file, np.array([]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip at all"])
def test_broken_file_is_refused(file: Path, content: bytes) -> None:
    """A damaged archive is refused with a reason."""
    file.write_bytes(content)
    with pytest.raises(InvalidModel, match="cannot be read as npz"):
        check(file, np.array([0.0, 1.0]))


def test_pickles_are_never_loaded(file: Path) -> None:
    """An archive of Python objects could run code, so it is refused."""
    np.savez(file, **{"input.x": np.array([{}], dtype=object)})
    with pytest.raises(InvalidModel, match="cannot be read as npz"):
        check(file, np.array([0.0, 1.0]))
