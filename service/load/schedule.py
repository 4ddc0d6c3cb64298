"""When requests are due that nobody's answers hold up."""

import random
from collections.abc import Iterator


def poisson(rate: float, begin: float, end: float, seed: int) -> Iterator[float]:
    """Yield the arrivals of a Poisson process in begin <= time < end, earliest first.

    rate: arrivals a second, on average. begin, end: seconds.
    """
    gaps = random.Random(seed)
    due = begin + gaps.expovariate(rate)
    while due < end:
        yield due
        due += gaps.expovariate(rate)
