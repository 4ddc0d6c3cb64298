"""Picture to classes."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service.codecs.image import ImageLimits, decode_image
from service.contract.manifest import ImagePreprocessing
from service.contract.postprocess import Prediction, top_predictions
from service.contract.preprocess import Pixels, preprocess_image
from service.tasks.timing import Timing

# (N, H, W, C) uint8 -> (N, classes) probabilities
RunBatch = Callable[[Pixels], NDArray[np.floating]]


@dataclass(frozen=True)
class Classification:
    """The likeliest classes of one picture, likeliest first."""

    predictions: list[Prediction]
    timing: Timing


class Classifier:
    """Bytes to predictions, for one model.

    run: the model's probabilities for a batch; whoever makes it decides what is batched.
    """

    def __init__(
        self, preprocessing: ImagePreprocessing, labels: tuple[str, ...], run: RunBatch
    ) -> None:
        self._preprocessing = preprocessing
        self._labels = labels
        self._run = run

    def prepare(self, data: bytes, limits: ImageLimits) -> Pixels:
        """Return the picture as a batch of one, (1, H, W, C) uint8; raises as decode_image."""
        return preprocess_image(decode_image(data, limits), self._preprocessing)[None]

    def classify(self, data: bytes, top_k: int, limits: ImageLimits) -> Classification:
        """Return the `top_k` likeliest classes of the picture; blocks.

        Raises: what decode_image raises.
        """
        started = perf_counter()
        batch = self.prepare(data, limits)
        decoded = perf_counter()
        probabilities = self._run(batch)  # (1, classes)
        computed = perf_counter()
        predictions = top_predictions(probabilities[0], self._labels, top_k)
        timing = Timing(
            decode_ms=(decoded - started) * 1000,
            queue_ms=0.0,
            compute_ms=(computed - decoded) * 1000,
            total_ms=(perf_counter() - started) * 1000,
            batch_size=len(batch),
        )
        return Classification(predictions, timing)
