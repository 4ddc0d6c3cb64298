import numpy as np
import pytest

from service.contract.manifest import Tap
from service.tasks.compare.difference import Difference, difference
from service.tasks.compare.matching import match_taps


def tap(name: str, op: str = "Conv", shape: tuple[int, ...] = (4, 8, 8), module: str = "") -> Tap:
    modules = (module,) if module else ()
    return Tap(name=name, modules=modules, op=op, shape=shape, stride=None, receptive_field=None)


def names(ones: list[Tap], others: list[Tap]) -> list[tuple[str, str]]:
    return [(one.name, other.name) for one, other in match_taps(ones, others)]


def test_same_name_matches_wherever_it_stands() -> None:
    """The order is that of the first model."""
    ones, others = [tap("a"), tap("b"), tap("c")], [tap("c"), tap("x", "Mul"), tap("a")]
    assert names(ones, others) == [("a", "a"), ("c", "c")]


def test_outputs_of_one_module_match_whatever_made_them() -> None:
    """The last layer of a module is its output; a quantised one does something else there."""
    ones = [tap("w/Conv", module="w"), tap("w/Relu", "Relu", module="w")]
    others = [tap("17", "QLinearConv", module="w"), tap("18", "DequantizeLinear", module="w")]
    assert names(ones, others) == [("w/Relu", "18")]


def test_same_operation_and_shape_at_the_same_place_match() -> None:
    """A net whose layers have other names: each finds its own, not the next of its kind."""
    ones = [tap("a"), tap("b", "Relu"), tap("c"), tap("d", "Relu"), tap("e", "Gemm", (10,))]
    others = [tap("1"), tap("2", "Relu"), tap("3"), tap("4", "Relu"), tap("5", "Gemm", (10,))]
    assert names(ones, others) == list(zip("abcde", "12345", strict=True))
    # one that the other has not is left out, and does not make all behind it slip
    assert names(ones, [*others[:2], tap("new", "Mul"), *others[2:]]) == names(ones, others)
    assert ("e", "5") not in names(ones, [*others[:4], tap("5", "Gemm", (11,))])


def test_place_is_counted_from_what_matches() -> None:
    """A layer before a match is never taken for one behind it."""
    ones, others = [tap("x"), tap("m", "Add")], [tap("m", "Add"), tap("y")]
    assert names(ones, others) == [("m", "m")]


def test_each_layer_is_matched_once() -> None:
    """Whatever names and modules say, there are no two partners."""
    ones = [tap("a", module="m"), tap("b", module="m")]
    others = [tap("b", module="m"), tap("c", module="m")]
    found = names(ones, others)
    assert len({one for one, _ in found}) == len({other for _, other in found}) == len(found)


def test_figures_are_those_of_numpy() -> None:
    """Over more numbers than are worked on at once."""
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 3, 1000, 700)).astype(np.float32)
    found, apart = difference(one, other), one.astype(float) - other
    assert found.max_absolute == np.abs(apart).max()
    assert found.mean_absolute == pytest.approx(np.abs(apart).mean(), rel=1e-12)
    expected = np.linalg.norm(apart) / np.linalg.norm(one.astype(float))
    assert found.relative == pytest.approx(expected, rel=1e-12)
    flat, flat_other = one.reshape(-1).astype(float), other.reshape(-1).astype(float)
    cosine = flat @ flat_other / np.linalg.norm(flat) / np.linalg.norm(flat_other)
    assert found.cosine == pytest.approx(cosine, rel=1e-9)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, -2], [1, -2], Difference(0, 0, 0, 1)),
        ([0, 0], [0, 0], Difference(0, 0, 0, None)),
        ([0, 0], [0, 2], Difference(2, 1, None, None)),
        ([3, 0], [0, 0], Difference(3, 1.5, 1, None)),
        ([1, np.nan], [1, 1], Difference(None, None, None, None)),
        ([np.inf], [np.inf], Difference(None, None, None, None)),
        ([], [], Difference(0, 0, 0, None)),
    ],
)
def test_figures_that_have_no_meaning_are_none(
    one: list[float], other: list[float], expected: Difference
) -> None:
    """Zeros have no direction, and NaN no distance; what is equal is at none."""
    assert difference(np.float32(one), np.float32(other)) == expected
