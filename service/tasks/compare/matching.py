"""Which layer of one model is which of another."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from service.contract.manifest import Tap


class Pair(NamedTuple):
    """A layer of the first model and the one of the second that it is compared with."""

    one: Tap
    other: Tap


def match_taps(ones: Sequence[Tap], others: Sequence[Tap]) -> list[Pair]:
    """Return the layers that match, in the order of the first model; each is matched once.

    Layers match by name; else, if both are the output of the module of one path; else, if they do
    the same operation, have the same shape and stand at the same place among those that match.
    """
    matched: dict[str, Tap] = {}
    free = {tap.name: tap for tap in others}
    for tap in ones:
        if tap.name in free:
            matched[tap.name] = free.pop(tap.name)
    outputs, outputs_of_other = _by_module(ones), _by_module(others)
    for path, tap in outputs.items():
        other = outputs_of_other.get(path)
        if other and tap.name not in matched and other.name in free:
            matched[tap.name] = free.pop(other.name)
    matched |= {one.name: other for one, other in _by_place(ones, others, matched)}
    return [Pair(tap, matched[tap.name]) for tap in ones if tap.name in matched]


def _by_module(taps: Sequence[Tap]) -> dict[str, Tap]:
    """Return the output of each module: its last layer."""
    return {path: tap for tap in taps for path in tap.modules if path}


def _by_place(
    ones: Sequence[Tap], others: Sequence[Tap], matched: dict[str, Tap]
) -> Iterator[tuple[Tap, Tap]]:
    left = list(_places(ones, set(matched)))
    right = list(_places(others, {tap.name for tap in matched.values()}))
    keys, keys_of_other = ([key for key, _ in side] for side in (left, right))
    matcher = SequenceMatcher(None, keys, keys_of_other, autojunk=False)
    for first, second, length in matcher.get_matching_blocks():
        for step in range(length):
            yield left[first + step][1], right[second + step][1]


def _places(taps: Sequence[Tap], matched: set[str]) -> Iterator[tuple[tuple[object, ...], Tap]]:
    """Yield what tells the place of each layer that is not matched yet, and the layer."""
    before = 0
    for tap in taps:
        if tap.name in matched:
            before += 1
        else:
            yield (before, tap.op, tap.shape), tap
