"""An exported classifier of sounds, run as it is served."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Manifest, audio_spec
from service.contract.windows import windows_of
from service.runtime import open_session
from training.data.sounds import Waveform

BATCH = 32


class ServedSoundClassifier:
    """The service's windows, the graph in ONNX Runtime, and the mean over the windows.

    folder: where the graph lies. It runs on the device that it would be served on.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        graph = manifest.graph
        self.spec = audio_spec(manifest)
        self._session = open_session(folder / graph.file.path, str(folder / graph.file.path))
        self._input = graph.inputs[0].name
        output = graph.output_of_role("logits")
        assert output is not None  # the manifest would not have been valid
        self._output = output.name

    def logits(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return the mean over the windows of a whole waveform (samples,): (classes,)."""
        _, windows = windows_of(waveform, self.spec)
        parts = [
            self._session.run({self._input: windows[start : start + BATCH]})[self._output]
            for start in range(0, len(windows), BATCH)
        ]
        mean: NDArray[np.float32] = np.concatenate(parts).mean(0)
        return mean
