import pytest

from service.contract.frame import Frame, frame_of
from service.contract.specs import ImagePreprocessing


def spec_of(resize: str, multiple: int = 1) -> ImagePreprocessing:
    return ImagePreprocessing.model_validate(
        {
            "color": "rgb",
            "resize": resize,
            "height": 180,
            "width": 240,
            "multiple": multiple,
            "mean": (0,) * 3,
            "std": (1,) * 3,
        }
    )


@pytest.mark.parametrize(
    ("resize", "picture", "frame"),
    [
        ("squash", (9, 9), Frame((9, 9), (180, 240), 0, 0, (180, 240))),
        ("letterbox", (90, 60), Frame((90, 60), (180, 120), 0, 60, (180, 240))),
        ("letterbox", (1, 4001), Frame((1, 4001), (1, 240), 89, 0, (180, 240))),
        ("none", (17, 4001), Frame((17, 4001), (17, 4001), 0, 0, (32, 4016))),
        ("same_area", (180, 240), Frame((180, 240), (180, 240), 0, 0, (192, 240))),
        ("same_area", (3000, 4000), Frame((3000, 4000), (180, 240), 0, 0, (192, 240))),
        ("same_area", (1, 1), Frame((1, 1), (208, 208), 0, 0, (208, 208))),
        ("same_area", (17, 4001), Frame((17, 4001), (14, 3189), 0, 0, (16, 3200))),
    ],
)
def test_picture_is_laid_into_the_input(
    resize: str, picture: tuple[int, int], frame: Frame
) -> None:
    """Each way of resizing puts a picture where its definition says."""
    assert frame_of(picture, spec_of(resize, multiple=16)) == frame


@pytest.mark.parametrize("picture", [(1, 50_000_000), (50_000_000, 1), (2, 9_000_000)])
def test_strip_never_costs_more_than_a_picture(picture: tuple[int, int]) -> None:
    """However long a strip is, its input stays as small as its shorter side allows."""
    frame = frame_of(picture, spec_of("same_area", multiple=16))
    assert frame.outer[0] * frame.outer[1] <= 16 * (180 * 240 + 16)
