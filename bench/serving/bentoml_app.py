"""A BentoML service with adaptive batching, as its documentation recommends."""

from typing import Any

import bentoml
import numpy as np
from PIL.Image import Image

from bench.serving.pipeline import Pipeline, model_folder, open_session
from service.contract.preprocess import preprocess_image
from service.cpus import available_cpus


@bentoml.service(
    workers=available_cpus(),
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
)
class Classifier:
    """One worker process a processor, each with a thread: the best for throughput on CPUs."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(model_folder(), open_session(model_folder(), threads=1))

    @bentoml.api(batchable=True, max_batch_size=32)
    def predict(self, images: list[Image]) -> list[dict[str, Any]]:
        """Classify a batch; BentoML has opened the pictures but not yet decoded them."""
        spec = self.pipeline.preprocessing
        pixels = [preprocess_image(np.asarray(image.convert("RGB")), spec) for image in images]
        return [self.pipeline.answer(row) for row in self.pipeline.run(np.stack(pixels))]
