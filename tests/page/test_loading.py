"""How the page comes: light, still, from this server alone, and under any path."""

import io

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Route, expect

from tests.page.browser import SAMPLES, Bench, drop, settled

LIGHT_BYTES = 300_000
# What is below this is called good: https://web.dev/articles/cls
STILL = 0.1
WATCH_SHIFTS = """
    window.shifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shifts += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
"""


def test_page_is_light(bench: Bench) -> None:
    """All that is loaded before something is given weighs less than 300 kB, uncompressed."""
    with bench.noting() as (page, noted):
        page.locator(".samples button").last.wait_for()
        urls = {url.partition("#")[0] for url in noted.requests}
    with httpx.Client(headers={"accept": "text/html, */*;q=0.1"}) as client:
        weights = {url: len(client.get(url).content) for url in urls}

    assert len(weights) > 30
    assert sum(weights.values()) < LIGHT_BYTES


def test_nothing_moves_while_loading(bench: Bench) -> None:
    """What comes later has its place already, on the desk and on the phone."""
    for width, sample in [
        (1280, "cat.jpg"),
        (1280, "temple.jpg"),
        (1280, "seven.flac"),
        (360, "cat.jpg"),
    ]:
        with bench.open(path="/docs", viewport={"width": width, "height": 800}) as page:
            page.add_init_script(WATCH_SHIFTS)
            page.goto(f"{bench.url}/#sample={sample}")
            settled(page, "answer")
            page.wait_for_load_state("networkidle")
            assert page.evaluate("window.shifts") < STILL, (width, sample)


def test_works_below_a_path(bench: Bench) -> None:
    """Behind a proxy that serves it below a path, the page and its commands find everything."""

    def pass_on(route: Route) -> None:
        url = route.request.url.replace("/vision/", "/")
        route.fulfill(response=route.fetch(url=url))

    with bench.noting(path="/livez") as (page, noted):
        page.route("**/vision/**", pass_on)
        noted.requests.clear()
        page.goto(f"{bench.url}/vision/#sample=cat.jpg&view=layers")
        settled(page, "layers")
        expect(page.locator(".tile").first).to_be_visible()
        page.get_by_text("The command").first.click()
        expect(page.locator("#view-layers .actions code")).to_contain_text(
            "/vision/v1/models/cifar10"
        )
        page.get_by_role("link", name="API").click()
        expect(page.locator(".servers option")).to_have_text(f"{bench.url}/vision")
        below = [url for url in noted.requests if url.startswith("http")]
        assert all(url.startswith(f"{bench.url}/vision/") for url in below)
        assert noted.complaints == []


def test_shared_address_shows_the_same(bench: Bench) -> None:
    """Another browser that opens the address sees the same model, layer, channel and cell."""
    with bench.open("#sample=cat.jpg&view=layers") as page:
        settled(page, "layers")
        page.locator(".layer-row").filter(has_text="group2Add").click()
        page.locator(".tile[data-channel='5'] canvas").click(position={"x": 5, "y": 5})
        expect(page.locator(".cell")).to_contain_text("Cell 0, 0")
        address, told = page.url, page.locator(".cell").inner_text()
    with bench.open(address.removeprefix(f"{bench.url}/")) as page:
        expect(page.locator(".cell")).to_contain_text("Cell 0, 0")
        assert page.locator(".cell").inner_text() == told
        expect(page.locator("h4")).to_have_text("Channel 5")
        expect(page.locator("h3.mono")).to_contain_text("group2/Add")


def test_back_takes_a_step_back(bench: Bench) -> None:
    """The browser's back button goes back to the last view, sample or model."""
    with bench.open("#sample=cat.jpg") as page:
        settled(page, "answer")
        page.get_by_role("tab", name="Layers").click()
        settled(page, "layers")
        page.go_back()
        expect(page.locator("#view-answer")).to_be_visible()
        expect(page.locator("#tab-answer")).to_have_attribute("aria-selected", "true")


def test_large_photograph_is_sent_as_it_is(bench: Bench) -> None:
    """Twelve megapixels go to the model untouched, and a smaller copy is shown."""
    noise = np.random.default_rng(0).integers(0, 40, (3000, 4000, 3), np.uint8)
    picture = Image.open(SAMPLES / "cat.jpg").resize((4000, 3000))
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(picture) // 2 + noise).save(buffer, "JPEG", quality=80)
    photograph = buffer.getvalue()
    wanted = httpx.post(f"{bench.url}/v1/models/cifar10/classify", content=photograph).json()

    with bench.open("#model=cifar10") as page:
        page.locator("#model:enabled").wait_for()
        file = {"name": "big.jpg", "mimeType": "image/jpeg", "buffer": photograph}
        page.set_input_files("#file", file)
        first = wanted["predictions"][0]
        expect(page.locator(".bars .name").first).to_have_text(first["label"])
        expect(page.locator(".bars .number").first).to_have_text(f"{first['probability']:.1%}")
        expect(page.locator(".picture canvas")).to_have_js_property("width", 1600)


def test_documentation_works_without_internet(bench: Bench) -> None:
    """The interface's documentation loads from here alone, and can be tried."""
    with bench.open(path="/docs") as page:
        expect(page.locator(".opblock-summary-path").first).to_contain_text("classify")
        page.locator("#operations-Models-list_models button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(
            page.locator(".live-responses-table td.response-col_status:not(.col_header)")
        ).to_contain_text("200")


def test_documentation_sends_a_picture(bench: Bench) -> None:
    """A file is all that has to be added to try an operation, and its answer is shown."""
    with bench.open(path="/docs") as page:
        maps = page.locator("#operations-Look_inside-feature_maps")
        maps.locator("button").first.click()
        maps.get_by_role("button", name="Try it out").click()
        maps.locator("input[type=file]").set_input_files(SAMPLES / "x.png")
        maps.get_by_role("button", name="Execute").click()
        expect(maps.locator(".live-responses-table img")).to_be_visible()


def test_dropped_file_is_kept_apart_from_the_address(bench: Bench) -> None:
    """A file of one's own replaces the sample in the address, and the copy button says so."""
    with bench.open("#sample=cat.jpg", permissions=["clipboard-read", "clipboard-write"]) as page:
        settled(page, "answer")
        drop(page, "mine.jpg", (SAMPLES / "temple.jpg").read_bytes(), "image/jpeg")
        expect(page.locator("#caption")).to_contain_text("mine.jpg")
        assert "sample" not in page.url
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator("#share")).to_have_text("Copied, without your file")
        assert page.evaluate("navigator.clipboard.readText()") == page.url
