import numpy as np

from service.codecs.image import ImageLimits, encode_png
from service.contract.preprocess import Pixels
from service.contract.specs import ImagePreprocessing
from service.tasks.classify import Classifier, RunBatch

SPEC = ImagePreprocessing(
    color="rgb", resize="squash", height=2, width=2, mean=(0,) * 3, std=(1,) * 3
)


def mean_colors(batch: Pixels, alone: bool) -> np.ndarray:
    """(N, H, W, 3) -> (N, 3): stands for a network."""
    return batch.mean(axis=(1, 2)) / 765


def classifier(run: RunBatch = mean_colors) -> Classifier:
    return Classifier(SPEC, ("red", "green", "blue"), run, ImageLimits())


def png(*color: int) -> bytes:
    return encode_png(np.full((4, 6, 3), color, np.uint8))


def test_batch_of_one_prepared_picture_is_run() -> None:
    """The model sees (1, H, W, C) uint8 and its row becomes the predictions."""
    seen = []

    def run(batch: Pixels, alone: bool) -> np.ndarray:
        seen.append((batch.shape, batch.dtype, alone))
        return mean_colors(batch, alone)

    answer = classifier(run).classify(png(255, 51, 0), 2)
    assert seen == [((1, 2, 2, 3), np.uint8, True)]
    assert [prediction.label for prediction in answer.predictions] == ["red", "green"]


def test_prepared_pictures_are_run_together() -> None:
    """A batch gives each picture what it would have got on its own."""
    ours = classifier()
    inputs = [ours.prepare(png(*color))[1] for color in [(255, 0, 0), (0, 0, 255)]]
    red, blue = ours.run(inputs, False)
    assert (red.argmax(), blue.argmax()) == (0, 2)


def test_prepared_pictures_tell_what_they_can_be_batched_with() -> None:
    """Only inputs of one shape fit into one array."""
    key, pixels = classifier().prepare(png(1, 2, 3))
    assert key == pixels.shape == (2, 2, 3)


def test_parts_of_the_time_add_up() -> None:
    """The parts are never more than the whole."""
    timing = classifier().classify(png(0, 0, 0), 1).timing
    assert timing.batch_size == 1
    assert 0 < timing.decode_ms + timing.compute_ms <= timing.total_ms
