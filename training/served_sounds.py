"""Exported models of sounds, run as they are served."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.contract.audible import audible
from service.contract.manifest import Manifest, audio_spec
from service.contract.postprocess import median_over_windows
from service.contract.windows import windows_of
from service.runtime import open_session
from training.data.sounds import Waveform

BATCH = 32


class _Served:
    """The service's windows and the graph in ONNX Runtime.

    folder: where the graph lies. It runs on the device that it would be served on.
    role: of the output that is wanted.
    """

    def __init__(self, folder: Path, manifest: Manifest, role: str) -> None:
        graph = manifest.graph
        self.spec = audio_spec(manifest)
        self._session = open_session(folder / graph.file.path, str(folder / graph.file.path))
        self._input = graph.inputs[0].name
        output = graph.output_of_role(role)
        assert output is not None  # the manifest would not have been valid
        self._output = output.name

    def run(self, windows: Waveform) -> NDArray[np.float32]:
        """Return the output (N, ...) for windows (N, window_samples)."""
        parts = [
            self._session.run({self._input: windows[start : start + BATCH]})[self._output]
            for start in range(0, len(windows), BATCH)
        ]
        return np.concatenate(parts)


class ServedSoundClassifier(_Served):
    """Answers with the mean over the windows."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest, "logits")

    def logits(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return the mean over the windows of a whole waveform (samples,): (classes,)."""
        _, windows = windows_of(waveform, self.spec)
        mean: NDArray[np.float32] = self.run(windows).mean(0)
        return mean


class ServedMeasurer(_Served):
    """Answers with the median over the windows that are not silent."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        super().__init__(folder, manifest, "values")

    def values(self, waveform: Waveform) -> NDArray[np.floating]:
        """Return the values (quantities,) of a whole waveform (samples,); NaN if it is silent."""
        _, windows = windows_of(waveform, self.spec)
        heard = windows[audible(windows)]
        if not len(heard):
            return np.full(1, np.nan, np.float32)
        return median_over_windows(self.run(heard))
