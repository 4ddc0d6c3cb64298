"""Patterns of rhythms: which drum strikes on which step of a bar.

The beat is the quarter note of 3/4 and 4/4, the dotted quarter note of 12/8. Bars to learn from are
put together from parts and varied, and none of them is one of the bars to be tested with.
"""

from typing import NamedTuple

import numpy as np

Random = np.random.Generator


class Groove(NamedTuple):
    """A bar of three drums, a sign a step: `X` a stressed stroke, `x` a stroke, `.` none.

    steps: of a beat, 4 or, in triplets, 3.
    """

    low: str
    middle: str
    high: str
    steps: int = 4

    @property
    def beats(self) -> int:
        """How many beats the bar has."""
        return len(self.low) // self.steps


class Parts(NamedTuple):
    """What bars of one kind are put together from, each time one of each."""

    lows: tuple[str, ...]
    middles: tuple[str, ...]
    highs: tuple[str, ...]
    steps: int = 4


_FOUR = Parts(
    lows=(
        "X...x...x...x...",
        "X.......x.......",
        "X.......x.x.....",
        "X.....x.x.......",
        "X.x.....x.......",
        "X..x..x...x.....",
        "X..x....x..x....",
        "X.........x.....",
        "X...............",
    ),
    middles=(
        "....x.......x...",
        "....X.......X...",
        "....X..x.x..X...",
        "....x.x.....x.x.",
        "..x...x...x...x.",
        "............x...",
        "................",
    ),
    highs=(
        "x...x...x...x...",
        "x.x.x.x.x.x.x.x.",
        "X.x.X.x.X.x.X.x.",
        "xxxxxxxxxxxxxxxx",
        "..x...x...x...x.",
        "x..xx..xx..xx..x",
        "................",
    ),
)
_THREE = Parts(
    lows=("X...........", "X.......x...", "X.....x.....", "X...x...x..."),
    middles=("....x...x...", "........x.x.", "............"),
    highs=("x...x...x...", "x.x.x.x.x.x.", "xxxxxxxxxxxx", "............"),
)
_TRIPLETS = Parts(
    lows=("X.....x.....", "X....xx.....", "X..x..x..x..", "X.......x..."),
    middles=("...x.....x..", "...X.....X..", "...x.x...x.x", "............"),
    highs=("x.xx.xx.xx.x", "xxxxxxxxxxxx", "x..x..x..x..", "............"),
    steps=3,
)
LEARNT = (_FOUR, _FOUR, _FOUR, _THREE, _TRIPLETS)
TESTED = (
    Groove("X.x...x.x.x...x.", "x...x...x...x...", "x.x.x.x.x.x.x.x."),
    Groove("X...x...x...x...", "....x.......x...", "x.xxx.xxx.xxx.xx"),
    Groove("X..xx..xx..xx..x", "x..x..x...x..x..", "x.x.x.x.x.x.x.x."),  # a bossa nova
    Groove("X.x.......xx....", "....X..x.x..X..x", "x.x.x.x.x.x.x.x."),
    Groove("X...x...x...x...", "x.x.X.xxx.x.X.xx", "................"),  # a train
    Groove("X...x...x...x...", "...x..x....x..x.", "x.x.x.x.x.x.x.x."),
    Groove("X.......x..x....", "....X.......X..x", "x...x...x...x..."),
    Groove("X...x.......", "........x...", "x.x.x.x.x.x."),
    Groove("x..x..x..x..", "...x.....x..", "X..X.xX..X.x", steps=3),  # swing, on a cymbal
)
_MOST_EXTRA = 0.12  # share of the empty steps that get a stroke


def draw_learnt_groove(random: Random) -> Groove:
    """Return a bar to learn from, in which two drums play at least, or one of them every beat."""
    while True:
        groove = _varied(LEARNT[int(random.integers(len(LEARNT)))], random)
        drums = (groove.low, groove.middle, groove.high)
        several = sum("x" in drum or "X" in drum for drum in drums) > 1
        if (several or "." not in groove.low[:: groove.steps]) and groove not in TESTED:
            return groove


def draw_tested_groove(random: Random) -> Groove:
    """Return a bar to be tested with."""
    return TESTED[int(random.integers(len(TESTED)))]


def _varied(parts: Parts, random: Random) -> Groove:
    extra = random.uniform(0, _MOST_EXTRA) if random.random() < 0.5 else 0.0

    def one_of(drums: tuple[str, ...]) -> str:
        drum = drums[int(random.integers(len(drums)))]
        return "".join("x" if s == "." and random.random() < extra else s for s in drum)

    return Groove(one_of(parts.lows), one_of(parts.middles), one_of(parts.highs), parts.steps)
