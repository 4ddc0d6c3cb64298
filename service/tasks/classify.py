"""Picture to classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.codecs.image import ImageLimits, decode_image, read_size
from service.contract.postprocess import Prediction, top_predictions
from service.contract.preprocess import Pixels, enough_px, preprocess_image
from service.contract.specs import ImagePreprocessing
from service.tasks.timing import Timing

Probabilities = NDArray[np.floating]  # (classes,)
# (N, H, W, C) uint8, and whether nothing else is being worked on -> (N, classes) probabilities
RunBatch = Callable[[Pixels, bool], NDArray[np.floating]]


@dataclass(frozen=True)
class Classification:
    """The likeliest classes of one picture, likeliest first."""

    predictions: list[Prediction]
    timing: Timing


class Classifier:
    """Bytes to predictions, for one model.

    `prepare` and `run` are what a batcher needs; `classify` does all of it at once.
    """

    def __init__(
        self,
        preprocessing: ImagePreprocessing,
        labels: tuple[str, ...],
        run: RunBatch,
        limits: ImageLimits,
    ) -> None:
        self._preprocessing = preprocessing
        self._enough_px = enough_px(preprocessing)
        self._labels = labels
        self._run = run
        self._limits = limits

    def prepare(self, data: bytes) -> tuple[tuple[int, ...], Pixels]:
        """Return the picture as one model input (H, W, C) uint8, and its shape before it.

        Raises: what decode_image raises.
        """
        spec = self._preprocessing
        pixels = preprocess_image(decode_image(data, self._limits, self._enough_px), spec)
        return pixels.shape, pixels

    def model_input(self, data: bytes) -> Pixels:
        """Return the picture as one model input; raises what decode_image raises."""
        return self.prepare(data)[1]

    def picture(self, data: bytes) -> Pixels:
        """Return the picture itself, (H, W, 3) uint8; raises what decode_image raises."""
        return decode_image(data, self._limits)

    def picture_size(self, data: bytes) -> tuple[int, int]:
        """Return the picture's height and width in pixels; raises what read_size raises."""
        return read_size(data, self._limits)

    def run(self, inputs: Sequence[Any], alone: bool) -> list[Probabilities]:
        """Return the probabilities of each of the inputs, which `prepare` made."""
        return list(self._run(np.stack(inputs), alone))

    def predictions(self, probabilities: Probabilities, top_k: int) -> list[Prediction]:
        """Return the `top_k` likeliest classes."""
        return top_predictions(probabilities, self._labels, top_k)

    def classify(self, data: bytes, top_k: int) -> Classification:
        """Return the `top_k` likeliest classes of the picture; blocks.

        Raises: what decode_image raises.
        """
        started = perf_counter()
        _, pixels = self.prepare(data)
        decoded = perf_counter()
        (probabilities,) = self.run([pixels], True)
        computed = perf_counter()
        predictions = self.predictions(probabilities, top_k)
        timing = Timing(
            decode_ms=(decoded - started) * 1000,
            queue_ms=0.0,
            compute_ms=(computed - decoded) * 1000,
            total_ms=(perf_counter() - started) * 1000,
            batch_size=1,
        )
        return Classification(predictions, timing)
