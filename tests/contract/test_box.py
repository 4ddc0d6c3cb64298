import numpy as np
import pytest

from service.contract.box import Box, box_in_picture
from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing

WAYS = {
    "squash": {"resize": "squash"},
    "letterbox": {"resize": "letterbox"},
    "crop": {"resize": "shortest_side_center_crop", "crop_fraction": 0.8},
    "same_area": {"resize": "same_area", "multiple": 16},
    "none": {"resize": "none", "multiple": 16},
}


def spec_of(way: str) -> ImagePreprocessing:
    how = {"color": "rgb", "height": 96, "width": 128, "mean": (0,) * 3, "std": (1,) * 3}
    return ImagePreprocessing.model_validate({**how, **WAYS[way]})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("picture", [(300, 500), (500, 300), (61, 97)])
def test_box_of_the_input_is_the_part_of_the_picture_that_is_shown_there(
    way: str, picture: tuple[int, int]
) -> None:
    """A bright patch of the picture lies in the input where the way back leads to the patch."""
    height, width = picture
    top, bottom = height * 42 // 100, height * 62 // 100
    left, right = width * 3 // 10, width // 2
    pixels = np.zeros((*picture, 3), np.uint8)
    pixels[top:bottom, left:right] = 255
    spec = spec_of(way)
    shown = preprocess_image(pixels, spec)[:, :, 0] > 127
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    box = Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    found = box_in_picture(box, picture, spec)
    assert found is not None
    pixel = max(height / len(shown), width / len(shown[0]), 1)  # of the input, in the picture
    assert np.abs(np.subtract(found, (left, top, right, bottom))).max() <= pixel


@pytest.mark.parametrize("way", WAYS)
def test_whole_input_is_no_more_than_the_picture(way: str) -> None:
    """A box beyond all edges is clipped to what the model gets of the picture."""
    whole = box_in_picture(Box(-1000, -1000, 9000, 9000), (100, 200), spec_of(way))
    assert whole is not None
    if way == "crop":  # 4:3 of 100 rows, a fifth less
        assert whole == pytest.approx((140 / 3, 10, 460 / 3, 90))
    else:
        assert whole == pytest.approx((0, 0, 200, 100))


@pytest.mark.parametrize(
    ("way", "box"),
    [
        ("letterbox", Box(0, 0, 128, 16)),
        ("same_area", Box(0, 79, 100, 80)),
        ("crop", Box(-9, 0, -1, 5)),
    ],
)
def test_padding_shows_nothing_of_the_picture(way: str, box: Box) -> None:
    """What lies beside the picture leads nowhere."""
    assert box_in_picture(box, (100, 200), spec_of(way)) is None
