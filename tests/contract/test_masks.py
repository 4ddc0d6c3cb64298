from collections.abc import Callable

import numpy as np
import pytest

from service.contract import masks
from service.contract.frame import Frame, frame_of
from service.contract.masks import restore_mask, restore_probability
from service.contract.preprocess import preprocess_image
from tests.contract.test_frame import spec_of

SIZES = [(1, 1), (180, 240), (7, 300), (17, 4001), (719, 1001), (333, 44)]


def halves(height: int, width: int) -> np.ndarray:
    """Return a picture that is black on the left and white on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, width // 2 :] = 255
    return picture


def bright(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segment by brightness: return the mask, and the probabilities of dark and bright."""
    brightness = inputs[:, :, 0].astype(np.float32) / 255
    probabilities = np.stack([1 - brightness, brightness])
    return probabilities.argmax(0).astype(np.uint8), probabilities


@pytest.mark.parametrize("resize", ["squash", "letterbox", "same_area", "none"])
@pytest.mark.parametrize("size", SIZES)
def test_mask_comes_back_onto_its_picture(resize: str, size: tuple[int, int]) -> None:
    """There and back, every region lies where it lay, to within one pixel of the coarser grid."""
    spec, picture = spec_of(resize, multiple=16), halves(*size)
    frame = frame_of(size, spec)
    inputs = preprocess_image(picture, spec)
    assert inputs.shape[:2] == frame.outer
    restored = restore_mask(*bright(inputs), frame)
    assert restored.shape == size
    wrong = np.nonzero(restored != (picture[:, :, 0] > 0))[1]
    coarsest = max(1.0, size[1] / frame.inner[1])
    assert all(abs(column + 0.5 - size[1] // 2) <= coarsest for column in wrong)


def test_untouched_picture_has_the_very_mask_of_the_graph() -> None:
    """Where nothing was resampled, the way back is the graph's own mask without its padding."""
    frame = frame_of((5, 7), spec_of("none", multiple=4))
    mask = np.arange(64, dtype=np.uint8).reshape(8, 8)
    restored = restore_mask(mask, np.zeros((2, 8, 8), np.float32), frame)
    np.testing.assert_array_equal(restored, mask[:5, :7])


def test_padding_never_comes_back() -> None:
    """What a model says of the padding does not bleed into the picture."""
    frame = Frame(picture=(20, 40), inner=(10, 20), top=5, left=0, outer=(20, 20))
    probability = np.ones((20, 20), np.float32)
    probability[5:15] = 0.25
    np.testing.assert_allclose(restore_probability(probability, frame), 0.25)


@pytest.mark.parametrize("size", [(719, 1001), (40, 60)])
def test_bands_make_no_difference(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture restored in bands equals the one restored at once."""
    frame = frame_of(size, spec_of("same_area", multiple=16))
    probabilities = np.random.default_rng(0).random((5, *frame.outer), np.float32)
    restore: Callable[[], list[np.ndarray]] = lambda: [  # noqa: E731
        restore_mask(np.zeros(frame.outer, np.uint8), probabilities, frame),
        restore_probability(probabilities[0], frame),
    ]
    whole = restore()
    monkeypatch.setattr(masks, "_BAND_PX", 7 * size[1])
    banded = restore()
    assert (whole[0] != banded[0]).mean() < 1e-4
    np.testing.assert_allclose(whole[1], banded[1], atol=1e-5)


def test_ties_go_to_the_lower_index() -> None:
    """Where two classes are equally likely, the first is taken, as the graph does."""
    frame = Frame(picture=(4, 4), inner=(2, 2), top=0, left=0, outer=(2, 2))
    probabilities = np.full((3, 2, 2), 0.5, np.float32)
    probabilities[0] = 0.1
    assert (restore_mask(np.zeros((2, 2), np.uint8), probabilities, frame) == 1).all()
