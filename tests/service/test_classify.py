import numpy as np

from service.codecs.image import ImageLimits, encode_png
from service.contract.manifest import ImagePreprocessing
from service.contract.preprocess import Pixels
from service.tasks.classify import Classifier

SPEC = ImagePreprocessing(
    color="rgb", resize="squash", height=2, width=2, mean=(0,) * 3, std=(1,) * 3
)


def mean_colors(batch: Pixels) -> np.ndarray:
    """(N, H, W, 3) -> (N, 3): stands for a network."""
    return batch.mean(axis=(1, 2)) / 765


def test_batch_of_one_prepared_picture_is_run() -> None:
    """The model sees (1, H, W, C) uint8 and its row becomes the predictions."""
    seen = []

    def run(batch: Pixels) -> np.ndarray:
        seen.append(batch)
        return mean_colors(batch)

    red = encode_png(np.full((4, 6, 3), (255, 51, 0), np.uint8))
    answer = Classifier(SPEC, ("red", "green", "blue"), run).classify(red, 2, ImageLimits())
    assert seen[0].shape == (1, 2, 2, 3)
    assert seen[0].dtype == np.uint8
    assert [prediction.label for prediction in answer.predictions] == ["red", "green"]


def test_parts_of_the_time_add_up() -> None:
    """Waiting counts into the total, and the parts are never more than the whole."""
    picture = encode_png(np.zeros((4, 4, 3), np.uint8))
    timing = (
        Classifier(SPEC, ("r", "g", "b"), mean_colors).classify(picture, 1, ImageLimits()).timing
    )
    assert timing.batch_size == 1
    assert 0 < timing.decode_ms + timing.compute_ms <= timing.total_ms
    waited = timing.after_waiting(5)
    assert (waited.queue_ms, waited.total_ms) == (5, timing.total_ms + 5)
