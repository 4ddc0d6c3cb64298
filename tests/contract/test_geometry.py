import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.contract.errors import InvalidParameter
from service.contract.geometry import Window, output_size, receptive_field

windows = st.builds(
    Window,
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
)


def test_resnet_stem_sees_seven_then_eleven_pixels() -> None:
    """The published figures: 7 after the first convolution, 11 after the pooling."""
    stem, pool = Window(7, stride=2, pad_begin=3), Window(3, stride=2, pad_begin=1)
    assert receptive_field([stem]) == 7
    assert receptive_field([stem, pool]) == 11


def test_alexnet_first_layer_has_55_cells() -> None:
    """(227 - 11) / 4 + 1, the sum from the lecture notes."""
    assert output_size(227, Window(11, stride=4), pad_end=0) == 55


@pytest.mark.parametrize("bad", [{"kernel": 0}, {"stride": 0}, {"dilation": 0}])
def test_windows_below_one_are_refused(bad: dict[str, int]) -> None:
    """A window that does not exist cannot slide."""
    with pytest.raises(InvalidParameter, match="at least 1"):
        Window(**{"kernel": 3, **bad})


@given(st.lists(windows, max_size=4))
def test_receptive_field_is_what_a_perturbed_pixel_reaches(path: list[Window]) -> None:
    """Change each pixel in turn: those that reach the first cell span its receptive field."""
    field = receptive_field(path)
    pixels = field + 3
    reach = np.eye(pixels, dtype=bool)  # (cells, pixels): which pixels a cell sees
    for window in path:
        cells = output_size(len(reach), window, pad_end=0)
        reach = np.array(
            [
                np.any(reach[cell * window.stride :: window.dilation][: window.kernel], axis=0)
                for cell in range(cells)
            ]
        )
    seen = np.flatnonzero(reach[0])
    assert seen[-1] - seen[0] + 1 == field
