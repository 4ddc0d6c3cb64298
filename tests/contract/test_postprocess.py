import numpy as np

from service.contract.postprocess import top_predictions


def test_ties_go_to_the_lower_index() -> None:
    """Equal probabilities come in the order of the labels, every time."""
    found = top_predictions(np.array([0.25, 0.5, 0.25]), ("a", "b", "c"), top_k=3)
    assert [prediction.class_index for prediction in found] == [1, 0, 2]


def test_more_than_there_are_gives_all() -> None:
    """top_k may exceed the number of classes."""
    assert len(top_predictions(np.array([0.5, 0.5]), ("a", "b"), top_k=10**9)) == 2
