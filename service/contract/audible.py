"""Which windows of a waveform a classifier can say something of."""

import numpy as np
from numpy.typing import NDArray

# 80 dB below full scale: what dithering and the noise of 16 bits leave of silence.
SILENT_PEAK = 1e-4


def audible(windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return whether any sample of each window reaches SILENT_PEAK, (...) for (..., samples).

    >>> audible(np.float32([[0, 0.2], [-0.2, 0], [0, 0.00009]])).tolist()
    [True, True, False]
    """
    loud: NDArray[np.bool_] = np.maximum(windows.max(-1), -windows.min(-1)) >= SILENT_PEAK
    return loud
