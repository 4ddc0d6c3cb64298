"""A BentoML service that is given tensors, each of which is a batch already."""

from pathlib import Path

import bentoml
import numpy as np

from bench.inferring.tensors import WORKLOAD
from bench.serving.pipeline import model_folder, open_session
from service.cpus import available_cpus

_ROW = (WORKLOAD.size, WORKLOAD.size, 3)


@bentoml.service(
    workers=available_cpus(),
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},
)
class Tensors:
    """One worker process a processor, each with a thread: the best for throughput on CPUs."""

    def __init__(self) -> None:
        self.session = open_session(model_folder(), threads=1)

    @bentoml.api
    def predict(self, file: Path) -> list[list[float]]:
        """Run the uploaded tensor, which BentoML has put into a file."""
        images = np.fromfile(file, np.uint8).reshape(-1, *_ROW)
        (probabilities,) = self.session.run(["probabilities"], {"images": images})
        return probabilities.tolist()
