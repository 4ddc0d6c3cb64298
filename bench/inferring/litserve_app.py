"""A LitServe server that is given tensors, each of which is a batch already.

python -m bench.inferring.litserve_app PORT
"""

import sys
from typing import Any

import litserve as ls
import numpy as np
from fastapi import Request

from bench.inferring.tensors import WORKLOAD
from bench.serving.pipeline import model_folder, open_session
from service.cpus import available_cpus

_WORKERS = 2
_ROW = (WORKLOAD.size, WORKLOAD.size, 3)


class TensorAPI(ls.LitAPI):
    """Tensor to probabilities; the methods are called by LitServe in this order."""

    def setup(self, device: str) -> None:
        """Load the model; the workers share the processors between them."""
        self.session = open_session(model_folder(), max(1, available_cpus() // _WORKERS))

    def decode_request(self, request: Request) -> np.ndarray:
        """Return the uploaded tensor."""
        return np.frombuffer(request["file"].file.read(), np.uint8).reshape(-1, *_ROW)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities."""
        (probabilities,) = self.session.run(["probabilities"], {"images": images})
        return np.asarray(probabilities)

    def encode_response(self, output: np.ndarray) -> Any:
        """Return the answer."""
        return output.tolist()


if __name__ == "__main__":
    server = ls.LitServer(TensorAPI(), accelerator="cpu", workers_per_device=_WORKERS)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False
    )
