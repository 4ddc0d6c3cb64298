from collections.abc import Callable

import numpy as np
import pytest

from service.contract.specs import ImagePreprocessing
from training.data.scenes import Scenes
from training.shift import LARGEST_SHIFT_PX, ShiftConsistency, shift_consistency

SPEC = ImagePreprocessing(
    color="rgb", resize="none", height=96, width=128, multiple=8, mean=(0.5,) * 3, std=(0.5,) * 3
)


class Segmenter:
    """Stands in for an exported one."""

    def __init__(self, spec: ImagePreprocessing, mask: Callable[[np.ndarray], np.ndarray]) -> None:
        self.spec, self.sizes = spec, set()
        self._mask = mask

    def mask_of_input(self, inputs: np.ndarray) -> np.ndarray:
        self.sizes.add(inputs.shape[:2])
        return self._mask(inputs)


def scenes(*sizes: tuple[int, int]) -> Scenes:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]

    def read(i: int, enough_px: int | None = None) -> np.ndarray:
        return pictures[i]

    return Scenes(read, lambda i: pictures[i][:, :, 0], [str(i) for i in range(len(sizes))])


def measure(segmenter: Segmenter, *sizes: tuple[int, int]) -> ShiftConsistency | None:
    return shift_consistency(segmenter, scenes(*sizes))  # type: ignore[arg-type]


def bright(inputs: np.ndarray) -> np.ndarray:
    return (inputs[:, :, 0] > 127).astype(np.uint8)


def odd_columns(inputs: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(inputs.shape[1]) % 2, inputs.shape[:2]).astype(np.uint8)


def test_what_looks_at_each_pixel_alone_is_consistent() -> None:
    """Moving the picture moves the mask with it, to the pixel."""
    segmenter = Segmenter(SPEC, bright)
    shift = measure(segmenter, (98, 130), (96, 128))

    assert shift is not None
    assert (shift.mean, shift.lowest, shift.images) == (1.0, 1.0, 2)
    assert len(shift.horizontal) == len(shift.vertical) == LARGEST_SHIFT_PX + 1
    # the largest multiples of 8 that leave room for 31 pixels
    assert segmenter.sizes == {(64, 96)}


def test_what_looks_at_the_place_is_found_out() -> None:
    """Columns told apart by their number: nothing agrees at odd shifts, everything at even ones."""
    shift = measure(Segmenter(SPEC, odd_columns), (96, 128))

    assert shift is not None
    assert shift.horizontal == [float(i % 2 == 0) for i in range(LARGEST_SHIFT_PX + 1)]
    assert set(shift.vertical) == {1.0}
    assert shift.mean == pytest.approx((15 + 31) / 62)
    assert shift.lowest == 0


def test_what_happens_at_the_border_does_not_count() -> None:
    """Sixteen pixels from either window's border on, an answer that errs only there is right."""

    def framed(inputs: np.ndarray) -> np.ndarray:
        mask = bright(inputs)
        mask[:16] = mask[-16:] = mask[:, :16] = mask[:, -16:] = 7
        return mask

    shift = measure(Segmenter(SPEC, framed), (96, 128))
    assert shift is not None
    assert shift.lowest == 1.0


def test_too_small_pictures_and_models_of_one_size_have_no_figure() -> None:
    """Where no window can be moved, nothing is claimed."""
    fixed = SPEC.model_copy(update={"resize": "squash"})

    assert measure(Segmenter(SPEC, bright), (80, 200)) is None
    assert measure(Segmenter(fixed, bright), (96, 128)) is None
    mixed = measure(Segmenter(SPEC, bright), (80, 200), (96, 128))
    assert mixed is not None
    assert mixed.images == 1
