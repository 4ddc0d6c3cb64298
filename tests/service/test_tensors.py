"""Tensors of a model in the queue of its pictures, with functions in place of a graph."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.contract.errors import DeviceFault, InvalidParameter, TooLarge
from service.contract.manifest import Manifest, read_manifest
from service.tasks.tensors import Block, Encoded, PictureTensors, Rows
from tests.tiny_models import write_model, write_segmenter


@pytest.fixture
def classifier(tmp_path: Path) -> Manifest:
    return read_manifest(write_model(tmp_path))


@pytest.fixture
def segmenter(tmp_path: Path) -> Manifest:
    return read_manifest(write_segmenter(tmp_path))


def tensors_of(manifest: Manifest, run: Callable[..., Any], most_rows: int = 4) -> PictureTensors:
    return PictureTensors(manifest, run, most_rows, lambda data: np.full((8, 8, 3), data[0], "u1"))


def means(batch: np.ndarray, alone: bool) -> list[np.ndarray]:
    """What stands for a graph: the mean of each channel."""
    return [batch.astype(np.float32).mean(axis=(1, 2))]


def rows(*values: int) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), value, np.uint8) for value in values])


def test_rows_are_cut_into_blocks_without_a_copy(classifier: Manifest) -> None:
    """As many as run together, and the rest."""
    array = rows(*range(9))
    blocks = list(tensors_of(classifier, means).blocks(array))
    assert [len(block.array) for block in blocks] == [4, 4, 1]
    assert all(np.shares_memory(block.array, array) for block in blocks)


def test_one_block_goes_to_the_graph_as_it_came(classifier: Manifest) -> None:
    """From the body to the graph nothing is copied."""
    seen: list[np.ndarray] = []

    def run(batch: np.ndarray, alone: bool) -> list[np.ndarray]:
        seen.append(batch)
        return means(batch, alone)

    tensors, array = tensors_of(classifier, run), rows(1, 2)
    _, block = tensors.prepare(Rows(array))
    tensors.run([block], True)
    assert np.shares_memory(seen[0], array)


def test_blocks_and_files_are_run_together_and_taken_apart(classifier: Manifest) -> None:
    """In their order, whatever they are made of."""
    tensors = tensors_of(classifier, means)
    items = [Rows(rows(1, 2)), Encoded(b"\x07"), Rows(rows(3, 4, 5))]
    keys, prepared = zip(*map(tensors.prepare, items), strict=True)
    assert len(set(keys)) == 1
    answers = tensors.run(prepared, False)
    told = [answer[0][:, 0].tolist() for answer in answers]
    assert told == [[1, 2], [7], [3, 4, 5]]
    (together,) = tensors.outputs_of(answers)
    assert together[:, 0].tolist() == [1, 2, 7, 3, 4, 5]


def test_tasks_own_items_stay_with_the_task(classifier: Manifest) -> None:
    """A queue tells them apart; they never share a batch."""
    tensors = tensors_of(classifier, means)
    prepare, run = tensors.beside(
        lambda raw: ((8, 8, 3), raw), lambda prepared, alone: [f"task {x}" for x in prepared]
    )
    own_key, own = prepare(b"picture")
    key, block = prepare(Rows(rows(5)))
    assert key != own_key
    assert run([own], False) == ["task b'picture'"]
    assert run([block], False)[0][0].tolist() == [[5, 5, 5]]


@pytest.mark.parametrize("shape", [(), (8, 8, 3), (0, 8, 8, 3), (1, 8, 8, 1), (1, 1, 8, 8, 3)])
def test_shape_that_does_not_fit_is_refused(classifier: Manifest, shape: tuple[int, ...]) -> None:
    """With the one that would."""
    with pytest.raises(InvalidParameter, match=r"takes the shape \[-1, 8, 8, 3\]"):
        tensors_of(classifier, means).check_shape(shape)


def test_answer_is_bounded_before_it_is_made(segmenter: Manifest) -> None:
    """A mask of a byte and three probabilities of four bytes a pixel: 13 times the area."""
    tensors = tensors_of(segmenter, means)
    tensors.check_shape((20, 1024, 1008, 3))
    with pytest.raises(TooLarge, match="would take 286,261,248 bytes"):
        tensors.check_shape((21, 1024, 1024, 3))


def test_size_that_the_graph_fails_on_is_told(segmenter: Manifest) -> None:
    """Sizes are free and cannot all have been tried: it is no fault of the server."""

    def run(batch: np.ndarray, alone: bool) -> list[np.ndarray]:
        raise RuntimeError("Conv: kernel is larger than its input")

    tensors = tensors_of(segmenter, run)
    _, block = tensors.prepare(Rows(np.zeros((1, 4, 8, 3), np.uint8)))
    with pytest.raises(InvalidParameter, match="fails on an input of 4 x 8 pixels"):
        tensors.run([block], True)


@pytest.mark.parametrize("name", ["classifier", "segmenter"])
def test_broken_device_is_nobody_elses_fault(name: str, request: pytest.FixtureRequest) -> None:
    """It is told as what it is."""

    def run(batch: np.ndarray, alone: bool) -> list[np.ndarray]:
        raise DeviceFault("gone")

    tensors = tensors_of(request.getfixturevalue(name), run)
    with pytest.raises(DeviceFault):
        tensors.run([Block(rows(1))], True)
