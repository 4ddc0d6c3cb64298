"""An exported segmenter, run as it is served."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.contract.frame import frame_of
from service.contract.manifest import Manifest
from service.contract.masks import restore_mask
from service.contract.preprocess import preprocess_image
from service.runtime import open_session

Pixels = NDArray[np.uint8]
Mask = NDArray[np.uint8]  # (H, W) class indices


class ServedSegmenter:
    """The service's preprocessing, the graph in ONNX Runtime, and the service's way back.

    folder: where the graph lies. It runs on the device that it would be served on.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        graph = manifest.graph
        file = folder / graph.file.path
        self.spec = manifest.preprocessing
        self._session = open_session(file, str(file))
        self._input = graph.inputs[0].name
        self._names = {tensor.role: tensor.name for tensor in graph.outputs}

    def segment(self, pixels: Pixels) -> Mask:
        """Return the class index at every pixel of the picture (H, W, 3) uint8, one pass."""
        outputs = self._run(preprocess_image(pixels, self.spec))
        frame = frame_of((pixels.shape[0], pixels.shape[1]), self.spec)
        probabilities = list(outputs[self._names["probabilities"]][0])
        return restore_mask(outputs[self._names["mask"]][0], probabilities, frame)

    def mask_of_input(self, inputs: Pixels) -> Mask:
        """Return the graph's mask (H, W) of a model input (H, W, C) uint8."""
        mask: Mask = self._run(inputs)[self._names["mask"]][0]
        return mask

    def _run(self, inputs: Pixels) -> dict[str, NDArray[np.generic]]:
        return self._session.run({self._input: inputs[None]})
