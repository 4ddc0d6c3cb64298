"""What a model measured in a sound: as a whole, and window by window."""

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import InvalidAudio
from service.contract.postprocess import median_over_windows
from service.contract.specs import AudioPreprocessing
from service.tasks.listen import Heard


class Measurement:
    """The answer to one sound.

    duration_s: length of the sound. times_s: (windows, 2), where each begins and ends.
    values: (windows, quantities); in a silent one nothing is measured, and these are NaN.
    silent: (windows,).
    """

    def __init__(self, heard: Heard, spec: AudioPreprocessing) -> None:
        """Raises: InvalidAudio if every window is silent."""
        if not heard.given.any():
            raise InvalidAudio("The sound is silent throughout: there is nothing to measure.")
        self.duration_s = heard.samples / spec.sample_rate_hz
        self.times_s = heard.times_s(spec)
        self.silent = ~heard.given
        self.values = np.full((len(heard.starts), heard.outputs.shape[1]), np.nan)
        self.values[heard.given] = heard.outputs

    def whole(self) -> NDArray[np.floating]:
        """Return the values (quantities,) of the whole, in which silence has no part."""
        return median_over_windows(self.values[~self.silent])
