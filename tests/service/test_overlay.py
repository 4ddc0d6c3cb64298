import numpy as np
import pytest

from service.tasks.overlay import render_mask, render_overlay, render_probability

COLORS = [(200, 200, 200), (128, 0, 0), (0, 10, 120)]
HALVES = np.repeat([[0, 1]], 40, axis=1).repeat(60, axis=0).astype(np.uint8)  # (60, 80)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_mask_has_the_colours_of_its_classes() -> None:
    """Exactly these, and nothing between them."""
    mask = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    painted = render_mask(mask, COLORS)
    assert painted.dtype == np.uint8
    assert painted.tolist() == [[list(COLORS[index]) for index in row] for row in mask]


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_overlay_blends_picture_and_colour(opacity: float) -> None:
    """Away from borders each value is the weighted mean, to the rounding."""
    picture = noise(60, 80, 3)
    overlay = render_overlay(picture, HALVES, COLORS, opacity)
    blend = (1 - opacity) * picture + opacity * render_mask(HALVES, COLORS)
    away = np.r_[:38, 42:80]
    assert np.abs(overlay[:, away] - blend[:, away]).max() <= 0.5
    assert np.array_equal(picture, noise(60, 80, 3))


@pytest.mark.parametrize(("mask", "brighter"), [(HALVES, True), (1 - HALVES, False)])
def test_line_separates_classes(mask: np.ndarray, brighter: bool) -> None:
    """One pixel wide in a small picture, lighter than a dark class and darker than a bright one."""
    picture = np.full((60, 80, 3), 128, np.uint8)
    change = render_overlay(picture, mask, COLORS) - (picture / 2 + render_mask(mask, COLORS) / 2)
    lines = np.flatnonzero(np.abs(change).max(axis=(0, 2)) > 1)
    assert lines.tolist() == [40]
    assert (change[:, 40].mean() > 0) == brighter


def test_lines_grow_with_the_picture() -> None:
    """So that they do not vanish when it is made smaller."""
    mask = HALVES.repeat(30, axis=0).repeat(30, axis=1)  # (1800, 2400)
    picture = np.zeros((*mask.shape, 3), np.uint8)
    overlay = render_overlay(picture, mask, COLORS)
    _, counts = np.unique(overlay[900], axis=0, return_counts=True)
    assert sorted(counts) == [2, 2, 1198, 1198]


def test_mask_without_borders_has_no_lines() -> None:
    """The edge of the picture is no border."""
    picture = np.full((60, 80, 3), 128, np.uint8)
    overlay = render_overlay(picture, np.ones((60, 80), np.uint8), COLORS)
    assert overlay.reshape(-1, 3).tolist() == [[128, 64, 64]] * 4800


def test_class_without_a_colour_is_an_error() -> None:
    """Rather than some other colour."""
    with pytest.raises(IndexError):
        render_mask(np.array([[3]], np.uint8), COLORS)


def test_probability_is_gray() -> None:
    """255 times the probability, rounded: black for 0, white for 1."""
    probability = np.array([[0, 0.25, 0.5019608, 1]], np.float32)
    assert render_probability(probability).tolist() == [[0, 64, 128, 255]]


def test_probabilities_can_be_read_from_the_gray() -> None:
    """To half a step of 255."""
    probability = np.random.default_rng(0).random((50, 70), np.float32)
    pixels = render_probability(probability)
    assert (pixels.shape, pixels.dtype) == ((50, 70), np.uint8)
    assert np.abs(pixels / 255 - probability).max() <= 0.50001 / 255
