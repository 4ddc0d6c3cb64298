from fractions import Fraction

import pytest

from service.contract.geometry import Window
from service.graph.cells import Cells, join
from service.graph.resampling import Resampling
from service.graph.sources import through_transposed, through_window

TWICE = Resampling(Fraction(2), "floor", half_pixel=False)


def known(cells: Cells | None) -> Cells:
    assert cells is not None
    return cells


def test_resnet_stem_begins_where_the_first_pixel_is() -> None:
    """7 pixels, then 11 after the pooling, both around the middle of the first pixel."""
    stem = known(through_window(Cells(), Window(7, stride=2, pad_begin=3)))
    pool = known(through_window(stem, Window(3, stride=2, pad_begin=1)))
    assert (stem.size, stem.jump, stem.start) == (7, 2, 0.5)
    assert (pool.size, pool.jump, pool.start) == (11, 4, 0.5)


def test_where_branches_meet_the_larger_field_counts() -> None:
    """A residual sum sees what its longer branch sees."""
    shortcut = known(through_window(Cells(), Window(1, stride=2)))
    branch = known(through_window(Cells(), Window(3, stride=2, pad_begin=1)))
    branch = known(through_window(branch, Window(3, pad_begin=1)))
    assert join([shortcut, branch]) == branch


def test_enlarged_cells_see_more_and_less_by_turns() -> None:
    """Three cells at a third of the distance: those in the middle of one old cell see one."""
    three = Resampling(Fraction(3), "floor", half_pixel=False)
    larger = known(three.through(Cells()))
    seen = known(through_window(larger, Window(3, pad_begin=1)))
    stretches = [(seen.begin(i), seen.end(i)) for i in range(-1, 4)]
    assert stretches == [(-1, 1), (-1, 1), (0, 1), (0, 2), (0, 2)]
    assert (seen.size, seen.jump) == (2, pytest.approx(1 / 3))


def test_halving_what_was_doubled_is_no_pattern_any_more() -> None:
    """What repeats with every cell is kept as one cell."""
    cells = known(through_window(known(TWICE.through(Cells())), Window(2, stride=2)))
    assert cells == Cells()


def test_pattern_that_no_net_has_is_given_up() -> None:
    """A graph cannot make the table of its layers endless work."""
    cells: Cells | None = Cells()
    for _ in range(12):
        assert cells is not None
        cells = TWICE.through(cells)
    assert cells is not None
    assert TWICE.through(cells) is None
    assert through_transposed(cells, Window(2, stride=2)) is None
