"""A LitServe server, batching as its documentation and its own benchmark do.

    python -m bench.serving.litserve_app PORT

Source: tests/parity_fastapi/ls_server.py of Lightning-AI/LitServe: batches of 8, 10 ms to gather
them, pictures decoded in `batch` by a pool of threads, two workers.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import litserve as ls
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from bench.serving.pipeline import Pipeline, model_folder, open_session
from service.contract.preprocess import Pixels
from service.cpus import available_cpus

_MAX_BATCH_SIZE = 8
_BATCH_TIMEOUT_S = 0.01
_WORKERS = 2


class ClassifierAPI(ls.LitAPI):
    """Picture to classes; the methods are called by LitServe in this order."""

    def setup(self, device: str) -> None:
        """Load the model; the workers share the processors between them."""
        threads = max(1, available_cpus() // _WORKERS)
        self.pipeline = Pipeline(model_folder(), open_session(model_folder(), threads))
        self.pool = ThreadPoolExecutor(threads)

    def decode_request(self, request: Request) -> bytes:
        """Return the uploaded file."""
        return request["file"].file.read()

    def batch(self, inputs: list[bytes]) -> Pixels:
        """Decode the files side by side."""
        return np.stack(list(self.pool.map(self.pipeline.prepare, inputs)))

    def predict(self, batch: Pixels) -> NDArray[np.float32]:
        """Return the probabilities."""
        return self.pipeline.run(batch)

    def unbatch(self, output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Return one row a picture."""
        return list(output)

    def encode_response(self, output: NDArray[np.float32]) -> dict[str, Any]:
        """Return the answer."""
        return self.pipeline.answer(output)


if __name__ == "__main__":
    server = ls.LitServer(
        ClassifierAPI(max_batch_size=_MAX_BATCH_SIZE, batch_timeout=_BATCH_TIMEOUT_S),
        accelerator="cpu",
        workers_per_device=_WORKERS,
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False
    )
