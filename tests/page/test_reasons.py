"""Reasons, stability and comparisons on the page."""

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.api.real_server import start, stop
from tests.page.browser import PHONE, ROOT, SAMPLES, Bench, settled
from tests.page.test_access import violations

CAT = (SAMPLES / "cat.jpg").read_bytes()


@pytest.fixture(scope="module")
def twins(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The page of a server with two versions of one model, the second a copy of the first."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / "xo" / "1", models / "xo" / "1")
    shutil.copytree(ROOT / "models" / "xo" / "1", models / "xo" / "2")
    manifest = models / "xo" / "2" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 1,', '"version": 2,', 1))
    server = start(models)
    yield Bench(browser, server.url)
    stop(server)


def test_reasons_glow_on_the_picture(bench: Bench) -> None:
    """The map lies over the picture, with its figures beside it, and fades with the slider."""
    answer = httpx.post(
        f"{bench.url}/v1/models/cifar10/explain",
        params={"method": "eigen-cam"},
        content=CAT,
        headers={"accept": "application/json"},
    ).json()
    with bench.open("#sample=cat.jpg&view=explain&method=eigen-cam") as page:
        told = page.locator("#view-explain .result")
        expect(told).to_contain_text("cat")
        expect(told).to_contain_text(f"{answer['minimum']:.4g} to {answer['maximum']:.4g}")
        expect(page.locator(".cover img")).to_have_js_property("complete", True)
        page.get_by_label("Opacity").fill("30")
        expect(page.locator(".cover")).to_have_css("opacity", "0.3")
        page.get_by_role("tab", name="Answer").click()
        expect(page.locator(".cover img")).to_have_count(0)


def test_method_and_class_are_in_the_address(bench: Bench) -> None:
    """Another method and another class are asked for, and can be shared."""
    with bench.open("#sample=digit.png&model=digits&view=explain") as page:
        settled(page, "explain")
        page.get_by_text("Occlusion", exact=True).click()
        page.get_by_label("Class").select_option("9")
        expect(page.locator("#view-explain .verdict strong")).to_have_text("9")
        assert "method=occlusion" in page.url
        assert "class=9" in page.url
        page.get_by_text("All methods side by side").click()
        expect(page.locator(".gallery img")).to_have_count(page.locator(".gallery button").count())
        assert violations(page) == []


def test_pixel_of_a_mask_is_explained(bench: Bench) -> None:
    """On a segmenter's picture a click asks for the reasons of that pixel."""
    with bench.open("#sample=temple.jpg&view=explain&method=eigen-cam") as page:
        settled(page, "explain")
        page.locator(".frame").click(position={"x": 100, "y": 60})
        expect(page.locator("#view-explain")).to_contain_text("For the pixel at")
        assert "at=" in page.url
        page.get_by_role("button", name="The whole class again").click()
        expect(page.locator("#view-explain")).to_contain_text("click it on the picture")


def test_reasons_of_a_sound_are_heard(bench: Bench) -> None:
    """Of a sound the spectrogram glows, in a picture of its own."""
    with bench.open("#sample=seven.flac&view=explain") as page:
        expect(page.locator("#view-explain img.sheet")).to_have_js_property("complete", True)
        expect(page.locator("#view-explain .verdict")).to_contain_text("7")
        assert violations(page) == []


def test_stability_has_a_curve_for_every_move(bench: Bench) -> None:
    """Shifts, turns, scales and bends have curves with the server's numbers behind them."""
    with bench.open("#sample=x.png&model=xo&view=stability") as page:
        expect(page.locator("#view-stability figure")).to_have_count(4)
        expect(page.locator("#view-stability .verdict")).to_contain_text("X")
        page.get_by_text("Numbers").first.click()
        rest = page.locator("#view-stability tbody tr").filter(has_text="yes").first
        expect(rest).to_contain_text("X")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_versions_are_compared_layer_by_layer(twins: Bench) -> None:
    """Of two equal versions the page says that they agree, in every layer."""
    with twins.open("#sample=x.png&view=compare") as page:
        expect(page.locator("#view-compare .verdict")).to_contain_text("They agree")
        expect(page.locator("#view-compare select")).to_have_value("xo@1")
        rows = page.locator(".depth tbody tr")
        assert rows.count() > 8
        expect(rows.filter(has_text="conv/Conv").first).to_contain_text("0%")
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_model_without_a_peer_says_so(bench: Bench) -> None:
    """Where there is nothing to compare with, the page says what to do."""
    with bench.open("#model=street&view=compare") as page:
        expect(page.locator("#view-compare")).to_contain_text("There is no other model")
