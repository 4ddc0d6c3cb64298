import numpy as np
import pytest

from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing
from service.contract.view import view_of


def spec(resize: str, height: int = 10, width: int = 10, **how: object) -> ImagePreprocessing:
    fields = {"color": "gray", "height": height, "width": width, "mean": (0,), "std": (1,)}
    return ImagePreprocessing.model_validate({**fields, "resize": resize, **how})


@pytest.mark.parametrize(
    ("preprocessing", "picture", "place", "there"),
    [
        (spec("squash"), (20, 40), (5, 5), (10, 20)),
        (spec("shortest_side_center_crop"), (20, 40), (0, 0), (0, 10)),
        (spec("shortest_side_center_crop", crop_fraction=0.5), (20, 40), (0, 10), (5, 25)),
        (spec("letterbox"), (20, 40), (2, 10), (0, 40)),
        (spec("letterbox"), (20, 40), (0, 0), (-8, 0)),
        (spec("none", multiple=16), (20, 40), (20, 40), (20, 40)),
    ],
)
def test_places_of_the_input_are_found_in_the_picture_and_back(
    preprocessing: ImagePreprocessing,
    picture: tuple[int, int],
    place: tuple[float, float],
    there: tuple[float, float],
) -> None:
    """Worked out by hand; the letterbox has the picture's 5 rows from row 2 on."""
    view = view_of(picture, preprocessing)
    assert view.to_picture(*place) == pytest.approx(there)
    assert view.to_input(*there) == pytest.approx(place)


@pytest.mark.parametrize("resize", ["squash", "shortest_side_center_crop", "letterbox"])
def test_view_is_where_preprocessing_puts_a_spot(resize: str) -> None:
    """A bright square in the picture lies in the input where the view says."""
    preprocessing = spec(resize, 32, 32)
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[30:42, 50:62] = 255
    made = preprocess_image(pixels, preprocessing)[:, :, 0].astype(float)
    rows, columns = np.indices(made.shape) + 0.5
    middle = ((rows * made).sum() / made.sum(), (columns * made).sum() / made.sum())
    expected = view_of((96, 128), preprocessing).to_input(36.0, 56.0)
    assert middle == pytest.approx(expected, abs=0.1)
