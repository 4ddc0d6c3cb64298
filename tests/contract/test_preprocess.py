from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing


def spec(height: int, width: int, resize: Any = "squash", **more: Any) -> ImagePreprocessing:
    color = more.pop("color", "rgb")
    channels = 3 if color == "rgb" else 1
    return ImagePreprocessing(
        color=color,
        resize=resize,
        height=height,
        width=width,
        mean=(0.5,) * channels,
        std=(0.5,) * channels,
        **more,
    )


def gray(rows: list[list[int]]) -> np.ndarray:
    """Return the rows as an RGB picture (H, W, 3) whose channels are equal."""
    return np.repeat(np.array(rows, np.uint8)[:, :, None], 3, axis=2)


def test_picture_of_the_right_size_is_not_touched() -> None:
    """Where nothing needs resizing every pixel stays as it is."""
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for resize in ("squash", "shortest_side_center_crop", "letterbox"):
        assert np.array_equal(preprocess_image(picture, spec(5, 7, resize)), picture)


def test_halving_weighs_by_the_triangle_filter() -> None:
    """Halved, a row is weighed by triangles of radius 2 around the new pixels' centres.

    By hand: the centres lie at 1 and 3; pixel centres 0.5, 1.5, 2.5 are 0.5, 0.5, 1.5 away
    from the first, so the weights are 3:3:1 over 7: (3*0 + 3*70 + 140) / 7 = 50.
    """
    halved = preprocess_image(gray([[0, 70, 140, 210]]), spec(1, 2))
    assert halved[0, :, 0].tolist() == [50, 160]


def test_doubling_interpolates_linearly() -> None:
    """Doubled, new pixels lie a quarter of the way between old ones; the ends repeat."""
    doubled = preprocess_image(gray([[0, 100]]), spec(1, 4))
    assert doubled[0, :, 0].tolist() == [0, 25, 75, 100]


def test_gray_weighs_as_the_eye_does() -> None:
    """Gray is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)."""
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert preprocess_image(primaries, spec(1, 3, color="gray"))[0, :, 0].tolist() == [76, 150, 29]


def test_center_crop_keeps_the_middle() -> None:
    """Of a picture twice as wide as high, the middle square is kept."""
    row = [10, 10, 20, 30, 40, 50, 90, 90]
    picture = gray([row] * 4)
    cropped = preprocess_image(picture, spec(4, 4, "shortest_side_center_crop"))
    assert cropped[:, :, 0].tolist() == [[20, 30, 40, 50]] * 4


def test_crop_fraction_cuts_further_in() -> None:
    """With half the shorter side, a quarter of the picture is left."""
    picture = gray([[0, 0, 0, 0], [0, 7, 7, 0], [0, 7, 7, 0], [0, 0, 0, 0]])
    inner = preprocess_image(picture, spec(2, 2, "shortest_side_center_crop", crop_fraction=0.5))
    assert inner[:, :, 0].tolist() == [[7, 7], [7, 7]]


def test_letterbox_keeps_everything_and_pads() -> None:
    """A wide picture gets bars above and below."""
    boxed = preprocess_image(gray([[9] * 4] * 2), spec(4, 4, "letterbox", pad_value=200))
    assert boxed[:, :, 0].tolist() == [[200] * 4, [9] * 4, [9] * 4, [200] * 4]


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    target=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    resize=st.sampled_from(["squash", "shortest_side_center_crop", "letterbox"]),
    color=st.sampled_from(["rgb", "gray"]),
)
@example(21, 2, (19, 1), "shortest_side_center_crop", "rgb")  # its box is wider by a rounding
def test_any_picture_becomes_the_models_input(
    height: int, width: int, target: tuple[int, int], resize: str, color: str
) -> None:
    """Whatever the picture's size, the shape is right and a flat colour stays that colour."""
    picture = np.full((height, width, 3), 77, np.uint8)
    wanted = spec(*target, resize, color=color, pad_value=77)
    result = preprocess_image(picture, wanted)
    assert result.shape == (*target, wanted.channels)
    assert result.dtype == np.uint8
    assert (result == 77).all()
