"""The mel scale's triangular filters."""

import numpy as np
from numpy.typing import NDArray


def mel_filters(
    mels: int, frame_samples: int, sample_rate_hz: int, lowest_hz: float, highest_hz: float
) -> NDArray[np.float64]:
    """Return the weight of each frequency in each band, (mels, frame_samples // 2 + 1).

    Triangles of height 1 whose corners are evenly spaced in mel; each reaches from the middle of
    the band below to the middle of the band above.
    Raises: ValueError if a band lies between two frequencies and so would always be silent, or
        the limits are not 0 <= lowest < highest <= half the sample rate.
    Source: D. O'Shaughnessy, Speech Communication, 1987: mel = 2595 log10(1 + hertz / 700).

    >>> mel_filters(2, 8, 8000, 0, 4000).round(2).tolist()
    [[0.0, 0.68, 0.0, 0.0, 0.0], [0.0, 0.32, 0.91, 0.45, 0.0]]
    """
    if not 0 <= lowest_hz < highest_hz <= sample_rate_hz / 2:
        raise ValueError(f"no bands from {lowest_hz} to {highest_hz} Hz at {sample_rate_hz} Hz")
    corners = _hertz(np.linspace(_mel(lowest_hz), _mel(highest_hz), mels + 2))
    frequencies = np.arange(frame_samples // 2 + 1) * (sample_rate_hz / frame_samples)
    below, middle, above = (corners[i : i + mels, None] for i in range(3))
    rising = (frequencies - below) / (middle - below)
    falling = (above - frequencies) / (above - middle)
    filters = np.minimum(rising, falling).clip(min=0)
    silent = np.flatnonzero(filters.sum(1) == 0)
    if len(silent):
        raise ValueError(
            f"{mels} bands are too many for frames of {frame_samples} samples: band {silent[0]} "
            "lies between two frequencies"
        )
    return filters


def _mel(hertz: float) -> float:
    return 2595 * float(np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)
