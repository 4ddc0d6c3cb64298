"""95 % intervals of measured figures."""

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
RESAMPLES = 1_000
_SEED = 0  # the same figures must always have the same interval


def wilson_interval(correct: int, images: int) -> Interval:
    """Return the 95 % interval of a proportion (E. B. Wilson, 1927).

    >>> low, high = wilson_interval(90, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    z = 1.959964
    share = correct / images
    center = share + z * z / (2 * images)
    reach = z * sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    return (center - reach) / scale, (center + reach) / scale


def bootstrap_interval(
    counts: NDArray[np.int64], figure: Callable[[NDArray[np.int64]], float]
) -> Interval:
    """Return the 95 % interval of a figure of sums over images, by 1,000 resamples of the images.

    counts: (images, ...), what each image adds to the sums.
    figure: of such sums; may be NaN for sums that say nothing, which are left out.
    The percentiles of B. Efron, 1979, with a fixed seed. Images are taken for independent.
    """
    images = len(counts)
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(images, np.full(images, 1 / images), RESAMPLES)
    # one after the other: all sums at once would take a thousand matrices
    values = [figure(np.tensordot(times, counts, 1)) for times in drawn]
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)
