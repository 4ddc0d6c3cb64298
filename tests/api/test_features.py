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
    assert "at a time, not 2" in answer.json()["detail"]


def test_form_that_is_not_offered_is_told(client: Client) -> None:
    """406 lists what can be had."""
    answer = client.post(PATH, content=flat("red"), headers={"accept": "text/html"})
    assert answer.status_code == 406
    assert "image/png, application/x-npy, application/json" in answer.json()["detail"]


ALL = "/v1/models/colors/feature-maps?layer=*"
AS_JSON = {"accept": "application/json"}


def test_all_layers_are_told_at_once(client: Client) -> None:
    """One entry a layer in the order of the table, with the figures of all its channels."""
    file = flat("#ff8000", "PNG")
    told = client.post(ALL, content=file, headers=AS_JSON).json()
    assert told["model"] == {"name": "colors", "version": 2}
    assert [layer["layer"] for layer in told["layers"]] == ["conv/Conv", "relu/Relu"]
    relu = told["layers"][1]
    assert (relu["shape"], relu["minimum"], relu["maximum"]) == ([3, 8, 8], 0, 1)
    assert relu["mean"] == pytest.approx((1 + 128 / 255) / 3)
    assert relu["zero_share"] == relu["dead_channel_share"] == pytest.approx(1 / 3)
    assert relu["non_finite"] == 0
    one = client.post(PATH, content=file, headers=AS_JSON).json()
    assert {key: one[key] for key in relu} == relu


def test_all_layers_are_a_sheet_or_a_strip(client: Client) -> None:
    """A PNG with titles, or bare tiles: 64 x 64 pixels for each layer, downwards."""
    sheet = client.post(ALL, content=flat("red"))
    assert Image.open(io.BytesIO(sheet.content)).size[0] > 64
    strip = client.post(f"{ALL}&render=strip&colormap=gray", content=flat("red", "PNG"))
    picture = Image.open(io.BytesIO(strip.content))
    assert picture.size == (64, 2 * 64)


@pytest.mark.parametrize("query", ["channels=0", "top_k=1", "zoom=3", "cell=0,0", "scale=channel"])
def test_what_is_for_one_layer_is_refused_for_all(client: Client, query: str) -> None:
    """The parameter is named."""
    answer = client.post(f"{ALL}&{query}", content=flat("red"))
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["detail"]


def test_all_layers_are_no_array(client: Client) -> None:
    """They have different sizes: 406 lists what can be had."""
    answer = client.post(ALL, content=flat("red"), headers={"accept": "application/x-npy"})
    assert answer.status_code == 406
    assert "image/png, application/json" in answer.json()["detail"]


def test_strongest_channels_can_be_asked_for(client: Client) -> None:
    """Strongest first, in figures and in the array; among the channels that were chosen."""
    file = flat("#40ff80", "PNG")
    told = client.post(f"{PATH}&top_k=2", content=file, headers=AS_JSON).json()
    assert [row["channel"] for row in told["channels"]] == [1, 2]
    told = client.post(f"{PATH}&top_k=2&channels=0,2", content=file, headers=AS_JSON).json()
    assert [row["channel"] for row in told["channels"]] == [2, 0]
    headers = {"accept": "application/x-npy"}
    array = client.post(f"{PATH}&top_k=1", content=file, headers=headers)
    assert np.load(io.BytesIO(array.content)).shape == (1, 8, 8)


def test_strip_of_a_layer_has_a_tile_for_each_channel(client: Client) -> None:
    """In one scale: red is all there is of a red picture, so the other two have no value."""
    answer = client.post(
        f"{PATH}&render=strip&channels=1,0&colormap=gray", content=flat("red", "PNG")
    )
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape == (128, 64, 3)
    assert (picture[:64] == 0).all()
    assert (picture[64:] == 255).all()


@pytest.mark.parametrize(
    "query", ["top_k=0", "zoom=0", "zoom=257", "scale=both", "colormap=jet", "render=film"]
)
def test_wishes_that_cannot_be_met_are_refused(client: Client, query: str) -> None:
    """422, with the parameter's name."""
    answer = client.post(f"{PATH}&{query}", content=flat("red"))
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["detail"]
