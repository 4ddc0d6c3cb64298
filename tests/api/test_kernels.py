import io

import numpy as np
import pytest
from PIL import Image

from tests.api.client import Client

PATH = "/v1/models/colors/kernels"


def test_filters_are_a_picture_for_browsers_and_curl(client: Client) -> None:
    """Without a layer, those of the first convolution; here one for each primary colour."""
    answer = client.get(PATH)
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    for color in ((255, 128, 128), (128, 255, 128), (128, 128, 255)):
        assert (picture == color).all(axis=-1).sum() > 1000


def test_filters_are_an_array_in_the_order_asked_for(client: Client) -> None:
    """float32 (O, I, H, W), straight from the file."""
    headers = {"accept": "application/x-npy"}
    answer = client.get(f"{PATH}?layer=conv&channels=2,0", headers=headers)
    values = np.load(io.BytesIO(answer.content))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[:, :, 0, 0], [[0, 0, 1], [1, 0, 0]])


def test_figures_of_filters_are_told(client: Client) -> None:
    """As JSON, with the shape of all and the channels that are colours."""
    headers = {"accept": "application/json"}
    told = client.get(f"{PATH}?channels=1", headers=headers).json()
    assert told == {
        "model": {"name": "colors", "version": 2},
        "layer": "conv/Conv",
        "op": "Conv",
        "shape": [3, 3, 1, 1],
        "colors": [0, 1, 2],
        "minimum": 0,
        "maximum": 1,
        "kernels": [
            {"channel": 1, "minimum": 0, "maximum": 1, "mean": pytest.approx(1 / 3), "norm": 1}
        ],
    }


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("layer=relu", 422, "has no filters. These have: conv/Conv."),
        ("layer=cnov", 404, "There is no layer 'cnov'"),
        ("channels=3", 422, "has the channels 0-2"),
        ("version=9", 404, "There is no version '9'"),
    ],
)
def test_what_has_no_filters_is_told_in_a_sentence(
    client: Client, query: str, status: int, told: str
) -> None:
    """Names that would have worked come with it."""
    answer = client.get(f"{PATH}?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


def test_form_that_is_not_offered_is_told(client: Client) -> None:
    """406 lists what can be had."""
    answer = client.get(PATH, headers={"accept": "text/html"})
    assert answer.status_code == 406
    assert "image/png, application/x-npy, application/json" in answer.json()["detail"]
