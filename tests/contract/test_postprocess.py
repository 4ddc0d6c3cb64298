import numpy as np
import pytest

from service.contract.postprocess import mean_over_windows, softmax, top_predictions


def test_ties_go_to_the_lower_index() -> None:
    """Equal probabilities come in the order of the labels, every time."""
    found = top_predictions(np.array([0.25, 0.5, 0.25]), ("a", "b", "c"), top_k=3)
    assert [prediction.class_index for prediction in found] == [1, 0, 2]


def test_more_than_there_are_gives_all() -> None:
    """top_k may exceed the number of classes."""
    assert len(top_predictions(np.array([0.5, 0.5]), ("a", "b"), top_k=10**9)) == 2


def test_mean_over_windows_is_of_logits() -> None:
    """Two windows that disagree are weighed by how sure they are, not by how many they are."""
    logits = np.array([[0.0, 8.0], [1.0, 0.0], [1.0, 0.0]])
    probabilities = mean_over_windows(logits)
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[1] == pytest.approx(1 / (1 + np.exp(-(8 - 2) / 3)))


def test_one_window_keeps_its_probabilities() -> None:
    """The whole of one window is that window, however large its logits."""
    logits = np.array([[1000.0, 999.0, -1000.0]], np.float32)
    np.testing.assert_allclose(mean_over_windows(logits), softmax(logits)[0])
    assert np.isfinite(mean_over_windows(logits)).all()
