import io

import numpy as np
import pytest
from PIL import Image

from tests.api.client import Client
from tests.pictures import flat

PATH = "/v1/models/colors/feature-maps?layer=relu"


def test_layers_tell_what_each_is_and_costs(client: Client) -> None:
    """One row a tensor, with the totals of the whole graph."""
    table = client.get("/v1/models/colors/layers").json()
    conv = next(layer for layer in table["layers"] if layer["name"] == "conv/Conv")
    assert (conv["module"], conv["op"], conv["shape"]) == ("conv", "Conv", [3, 8, 8])
    assert conv["parameters"] == table["totals"]["parameters"] == 9
    assert conv["macs"] == 9 * 8 * 8
    assert table["model"] == {"name": "colors", "version": 2}


@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}, {"accept": "image/png"}])
def test_mosaic_is_what_browsers_and_curl_get(client: Client, headers: dict[str, str]) -> None:
    """Whoever accepts anything gets a picture."""
    answer = client.post(PATH, content=flat("red"), headers=headers)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).format == "PNG"


@pytest.mark.parametrize("layer", ["relu", "relu/Relu", "conv"])
def test_array_holds_what_the_layer_computed(client: Client, layer: str) -> None:
    """The npy is the float32 activation (C, H, W), by module path or by name."""
    path = f"/v1/models/colors/feature-maps?layer={layer}"
    answer = client.post(
        path, content=flat("#ff8000", "PNG"), headers={"accept": "application/x-npy"}
    )
    values = np.load(io.BytesIO(answer.content))
    assert values.dtype == np.float32
    assert values.shape == (3, 8, 8)
    assert np.allclose(values, np.array([1, 128 / 255, 0])[:, None, None])


def test_channels_can_be_chosen(client: Client) -> None:
    """The array has the asked channels in the asked order."""
    answer = client.post(
        f"{PATH}&channels=2,0",
        content=flat("red", "PNG"),
        headers={"accept": "application/x-npy"},
    )
    assert np.load(io.BytesIO(answer.content))[:, 0, 0].tolist() == [0, 1]


def test_figures_tell_dead_channels(client: Client) -> None:
    """As JSON: the layer's facts, the share of dead channels, and figures by channel."""
    answer = client.post(
        f"{PATH}&channels=0-1", content=flat("red", "PNG"), headers={"accept": "application/json"}
    ).json()
    assert answer["layer"] == "relu/Relu"
    assert answer["shape"] == [3, 8, 8]
    assert answer["dead_channel_share"] == pytest.approx(2 / 3)
    red, green = answer["channels"]
    assert (red["channel"], red["mean"], red["zero_share"]) == (0, 1, 0)
    assert (green["channel"], green["mean"], green["zero_share"]) == (1, 0, 1)


def test_unknown_layer_brings_the_nearest_names(client: Client) -> None:
    """404, with the names that it may have been, for people and for programs."""
    answer = client.post("/v1/models/colors/feature-maps?layer=rellu", content=flat("red"))
    assert answer.status_code == 404
    assert "relu" in answer.json()["nearest"]


@pytest.mark.parametrize("channels", ["", "3", "x", "2-1", "-1", "0-999999999999"])
def test_channels_that_are_not_there_are_refused(client: Client, channels: str) -> None:
    """The detail says which channels there are."""
    answer = client.post(f"{PATH}&channels={channels}", content=flat("red"))
    assert answer.status_code == 422
    assert "0-2" in answer.json()["detail"]


def test_one_picture_at_a_time(client: Client) -> None:
    """Feature maps of several files would have no clear form, so they are refused."""
    files = [("file", ("a.jpg", flat("red")))] * 2
    answer = client.post(PATH, files=files)
    assert answer.status_code == 422
    assert "one picture, not of 2" in answer.json()["detail"]


def test_form_that_is_not_offered_is_told(client: Client) -> None:
    """406 lists what can be had."""
    answer = client.post(PATH, content=flat("red"), headers={"accept": "text/html"})
    assert answer.status_code == 406
    assert "image/png, application/x-npy, application/json" in answer.json()["detail"]
