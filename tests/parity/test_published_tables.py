"""The lecture's tables, over HTTP. `golden/xo_convnet.json` tells where they come from."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.codecs.image import encode_png
from tests.api.client import Client

PUBLISHED = json.loads((Path(__file__).parents[1] / "golden" / "xo_convnet.json").read_text())
CHANNELS = ("diagonal", "cross", "antidiagonal")


def from_signs(rows: list[list[float]]) -> np.ndarray:
    """Return the picture of a published table: -1 is black, 1 is white."""
    return ((np.array(rows) + 1) / 2 * 255).astype(np.uint8)


def fetch(client: Client, picture: bytes, layer: str) -> np.ndarray:
    answer = client.post(
        f"/v1/models/xo/feature-maps?layer={layer}",
        content=picture,
        headers={"accept": "application/x-npy"},
    )
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


@pytest.mark.parametrize(
    ("layer", "table"), [("conv", "conv"), ("relu", "relu"), ("pool", "pool_after_conv")]
)
def test_published_table_comes_back_over_http(client: Client, layer: str, table: str) -> None:
    """Truncated toward zero to two decimals, as the tables are, every number is the printed one."""
    maps = fetch(client, encode_png(from_signs(PUBLISHED["image"])), layer)

    for values, channel in zip(maps, CHANNELS, strict=True):
        # the shift keeps 0.33 from becoming 0.32 when 1/3 falls short by one float
        truncated = np.trunc(values.astype(np.float64) * 100 + np.sign(values) * 1e-4) / 100
        assert truncated.tolist() == PUBLISHED[table][channel], channel


def classify(client: Client, picture: bytes) -> str:
    answer = client.post("/v1/models/xo/classify?top_k=1", content=picture)
    return answer.json()["predictions"][0]["label"]


@pytest.mark.parametrize("name", ["image", "trickier_image"])
def test_published_pictures_are_an_x(client: Client, name: str) -> None:
    """The lecture's clean picture and its trickier one are both told to be an X."""
    assert classify(client, encode_png(from_signs(PUBLISHED[name]))) == "X"


def draw(
    label: str, center: tuple[float, float], radius: float, degrees: float, width: float
) -> np.ndarray:
    """Return a large drawing of the figure, in ninths of its side, as a person would post it."""
    canvas = Image.new("L", (450, 450))
    pen = ImageDraw.Draw(canvas)
    turn = np.exp(1j * np.radians(degrees))
    angles = np.linspace(0, 2 * np.pi, 60)
    corners = radius * np.exp(1j * np.pi / 4 * np.array([1, 5, 3, 7])) * turn
    lines = [corners[:2], corners[2:]] if label == "X" else [radius * 0.9 * np.exp(1j * angles)]
    for line in lines:
        points = [((z.real + center[0]) * 50, (z.imag + center[1]) * 50) for z in line]
        pen.line(points, fill=255, width=round(width * 50), joint="curve")
    return np.asarray(canvas)


@pytest.mark.parametrize("label", ["X", "O"])
@pytest.mark.parametrize(
    ("center", "radius", "degrees", "width"),
    [
        ((4.5, 4.5), 3.5, 0, 1.0),
        ((4.0, 5.0), 3.5, 0, 1.0),
        ((5.2, 3.9), 3.2, 0, 1.0),
        ((4.5, 4.5), 3.5, 12, 1.0),
        ((4.5, 4.5), 3.5, -12, 1.0),
        ((4.5, 4.5), 2.8, 0, 1.0),
        ((4.5, 4.5), 3.9, 0, 1.0),
        ((4.5, 4.5), 3.5, 0, 1.8),
        ((4.9, 4.2), 3.3, 8, 1.5),
    ],
)
def test_shifted_turned_scaled_and_thick_strokes_are_told_apart(
    client: Client,
    label: str,
    center: tuple[float, float],
    radius: float,
    degrees: float,
    width: float,
) -> None:
    """The net decides rightly where literal comparison of pixels would fail."""
    assert classify(client, encode_png(draw(label, center, radius, degrees, width))) == label
