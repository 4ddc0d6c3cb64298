"""Walking the layers: tiles, channels, cells."""

import io
import re
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.page.browser import SAMPLES, Bench, settled

CAT = (SAMPLES / "cat.jpg").read_bytes()


def ask_map(bench: Bench, model: str, content: bytes, **parameters: Any) -> NDArray[np.float32]:
    answer = httpx.post(
        f"{bench.url}/v1/models/{model}/feature-maps",
        params=parameters,
        content=content,
        headers={"accept": "application/x-npy"},
    )
    return np.load(io.BytesIO(answer.raise_for_status().content))


def painted(page: Page, selector: str) -> list[int]:
    """Return the pixels of a canvas, as red, green, blue and opacity of each."""
    return list(
        page.locator(selector).evaluate(
            """canvas => {
                const context = canvas.getContext("2d");
                return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
            }"""
        )
    )


def test_every_layer_is_in_the_strip(bench: Bench) -> None:
    """The strip has a row a layer, with volume, field, parameters and share, and a picture."""
    table = httpx.get(f"{bench.url}/v1/models/cifar10/layers").json()
    with bench.open("#sample=cat.jpg&view=layers") as page:
        settled(page, "layers")
        rows = page.locator(".layer-row")
        expect(rows).to_have_count(len(table["layers"]))
        row = rows.filter(has_text="group1.conv1")
        expect(row).to_contain_text("Conv · 64 × 31 × 31")
        expect(row).to_contain_text("sees 4×4 px · 13.8 k params")
        expect(row).to_contain_text("11.2%")
        expect(page.locator(".thumb").first).to_have_css("background-image", re.compile("blob:"))

        page.get_by_label("Filter layers").fill("maxpool")
        expect(page.locator(".layer-row:visible")).to_have_count(4)


def test_layers_are_walked_with_arrow_keys(bench: Bench) -> None:
    """Arrow keys go from layer to layer, and the maps and the address follow."""
    with bench.open("#sample=cat.jpg&view=layers") as page:
        settled(page, "layers")
        page.locator(".layer-row[aria-selected=true]").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(page.locator("h3.mono")).to_contain_text("group1.conv1/Conv")
        expect(page.locator(".layer-row[aria-selected=true]")).to_be_focused()
        expect(page.locator(".tile")).to_have_count(64)
        assert "layer=group1.conv1/Conv" in page.url
        page.keyboard.press("End")
        expect(page.locator("h3.mono")).to_contain_text("probabilities")
        expect(page.locator(".largest li").first).to_contain_text("cat")


def test_tiles_are_the_deployed_maps(bench: Bench) -> None:
    """A tile's pixels are the layer's values: the brightest is where the largest is."""
    values = ask_map(bench, "cifar10", CAT, layer="group1/Add")
    with bench.open("#sample=cat.jpg&view=layers&layer=group1/Add") as page:
        settled(page, "layers")
        page.get_by_label("Colours").select_option("gray")
        for channel in (0, 18):
            pixels = np.array(painted(page, f".tile[data-channel='{channel}'] canvas"))
            gray = pixels.reshape(15, 15, 4)[..., 0]
            expected = np.rint(values[channel] / values.max() * 255)
            assert np.abs(gray - expected).max() <= 1

        page.get_by_label("Scale").select_option("channel")
        pixels = np.array(painted(page, ".tile[data-channel='3'] canvas"))
        assert pixels.reshape(-1, 4)[:, 0].max() == 255

        page.get_by_label("Order").select_option("strength")
        strongest = int(np.abs(values).mean((1, 2)).argmax())
        expect(page.locator(".tile").first).to_have_attribute("data-channel", str(strongest))


def test_cell_shows_its_value_and_what_it_sees(bench: Bench) -> None:
    """A cell has its value, and a box on the picture that is the server's own."""
    layer = "group1/Add"
    values = ask_map(bench, "cifar10", CAT, layer=layer)
    answer = httpx.post(
        f"{bench.url}/v1/models/cifar10/feature-maps",
        params={"layer": layer, "cell": "5,6", "channels": "26"},
        content=CAT,
        headers={"accept": "application/json"},
    )
    box = answer.json()["cell"]["box"]
    with bench.open(f"#sample=cat.jpg&view=layers&layer={layer}&channel=26&cell=5,6") as page:
        told = page.locator(".cell")
        expect(told).to_contain_text(f"Cell 5, 6: {values[26, 5, 6]:.4g}")
        marked = page.locator(".marks .box")
        for side, wanted in {"x": "left", "y": "top"}.items():
            assert float(marked.get_attribute(side) or "nan") == box[wanted]
        width = float(marked.get_attribute("width") or "nan")
        assert abs(width - (box["right"] - box["left"])) < 1e-9
        assert any(painted(page, "canvas.crop"))

        page.locator(".field").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowUp")
        expect(told).to_contain_text(f"Cell 4, 7: {values[26, 4, 7]:.4g}")
        expect(page.locator("#live")).to_contain_text("Cell 4, 7")
        page.keyboard.press("Escape")
        expect(marked).to_have_count(0)


def test_click_on_a_tile_takes_channel_and_cell(bench: Bench) -> None:
    """A click in a tile shows that channel enlarged, and the cell under the pointer."""
    with bench.open("#sample=cat.jpg&view=layers&layer=group2/Add") as page:
        settled(page, "layers")
        canvas = page.locator(".tile[data-channel='9'] canvas")
        canvas.scroll_into_view_if_needed()
        place = canvas.bounding_box()
        assert place
        x, y = place["width"] * 3.5 / 7, place["height"] * 1.5 / 7
        canvas.click(position={"x": x, "y": y})

        expect(page.locator("h4")).to_have_text("Channel 9")
        expect(page.locator(".cell")).to_contain_text("Cell 1, 3")


def test_cell_of_a_sound_has_a_time(bench: Bench) -> None:
    """Of a sound, a cell hears a span of time, low bands are at the bottom."""
    sound = (SAMPLES / "seven.flac").read_bytes()
    values = ask_map(bench, "spoken_digits", sound, layer="log_mel/Log")
    with bench.open("#sample=seven.flac&view=layers&layer=log_mel/Log&cell=9,12") as page:
        expect(page.locator(".cell")).to_contain_text(f"{values[0, 9, 12]:.4g}")
        expect(page.locator(".cell")).to_contain_text("It hears 0.19 s to 0.22 s")
        expect(page.locator(".span-box")).to_be_visible()
        page.get_by_label("Colours").select_option("gray")
        gray = np.array(painted(page, ".tile canvas")).reshape(40, 45, 4)[::-1, :, 0]
        assert np.unravel_index(gray.argmax(), gray.shape) == np.unravel_index(
            values[0].argmax(), values[0].shape
        )


def test_kernels_need_no_file(bench: Bench) -> None:
    """The filters of a convolution are shown before anything is given."""
    with bench.open("#model=xo&view=kernels") as page:
        expect(page.locator("img.kernels")).to_have_js_property("complete", True)
        expect(page.locator("#view-kernels")).to_contain_text("3 × 1 × 3 × 3")
