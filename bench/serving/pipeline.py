"""Picture to five classes: what every contestant does, with the very functions of the service."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.serving.workloads import MODEL_VARIABLE
from service.codecs.image import ImageLimits, decode_image
from service.contract.manifest import read_manifest
from service.contract.postprocess import top_predictions
from service.contract.preprocess import Pixels, preprocess_image
from service.contract.specs import ImagePreprocessing

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

TOP_K = 5
_LIMITS = ImageLimits()


def open_session(folder: Path, threads: int = 0, spinning: bool = True) -> ort.InferenceSession:
    """Return a session on the CPU.

    threads: of one run; 0 leaves ONNX Runtime its default, one a core.
    spinning: whether idle threads burn processor time so as to be quick; its default.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    file = str(folder / "model.onnx")
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])


class Pipeline:
    """Decode, resize, run and choose, for one model."""

    def __init__(self, folder: Path, session: ort.InferenceSession) -> None:
        manifest = read_manifest(folder)
        self.preprocessing: ImagePreprocessing = manifest.preprocessing
        self._labels = manifest.labels
        self._session = session

    def prepare(self, data: bytes) -> Pixels:
        """Return the picture as one model input, (H, W, C) uint8."""
        return preprocess_image(decode_image(data, _LIMITS), self.preprocessing)

    def run(self, batch: Pixels) -> NDArray[np.float32]:
        """Return probabilities (N, classes) for inputs (N, H, W, C)."""
        probabilities: NDArray[np.float32]
        (probabilities,) = self._session.run(["probabilities"], {"images": batch})
        return probabilities

    def answer(self, probabilities: NDArray[np.float32]) -> dict[str, Any]:
        """Return what is sent back for one picture's probabilities, (classes,)."""
        best = top_predictions(probabilities, self._labels, TOP_K)
        return {"predictions": [prediction._asdict() for prediction in best]}


def model_folder() -> Path:
    """Return the folder that the process was started to serve."""
    return Path(os.environ[MODEL_VARIABLE])
