"""For everybody: by keyboard, with a screen reader, on a phone, in the dark."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.page.browser import PHONE, Bench, settled

VIEWS = {
    "nothing": "",
    "classes": "#sample=cat.jpg",
    "pixels": "#sample=temple.jpg",
    "windows": "#sample=digits.flac&model=spoken_digits",
    "number": "#sample=beat.flac&model=tempo",
    "spans": "#sample=digits.flac&model=silence",
    "maps": "#sample=cat.jpg&view=layers&layer=group1/Add&channel=3&cell=5,6",
    "sequence": "#sample=digits.flac&model=silence&view=layers&layer=envelope/Conv&cell=200",
    "numbers": "#sample=cat.jpg&view=layers&layer=logits",
    "kernels": "#model=cifar10&view=kernels",
}


def view_of(fragment: str) -> str:
    return fragment.partition("view=")[2].partition("&")[0] or "answer"


def violations(page: Page) -> list[Any]:
    """Return what axe finds: the name of the rule, and the elements."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("name", VIEWS)
def test_view_is_accessible(bench: Bench, name: str) -> None:
    """axe finds nothing wrong in light and dark, unfolded; a phone needs no scrolling sideways."""
    with bench.open(VIEWS[name], color_scheme="light") as page:
        settled(page, view_of(VIEWS[name]))
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert violations(page) == []
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_phone_offers_the_camera(bench: Bench) -> None:
    """Where one points with a finger, a photograph can be taken at once."""
    with bench.open(viewport=PHONE, has_touch=True, is_mobile=True) as page:
        expect(page.get_by_role("button", name="Take a photo")).to_be_visible()
        expect(page.locator("#camera")).to_have_attribute("capture", "environment")


def test_page_is_walked_by_keyboard(bench: Bench) -> None:
    """From the top to a cell of a channel without a mouse, and the focus can always be seen."""
    with bench.open() as page:
        page.locator("#model:enabled").wait_for()
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        press_until(page, "document.activeElement.textContent === 'Cat'")
        page.keyboard.press("Enter")
        expect(page.locator(".bars .name").first).to_have_text("cat")
        press_until(page, "document.activeElement.id === 'tab-answer'")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#tab-layers")).to_be_focused()
        settled(page, "layers")
        press_until(page, "document.activeElement.matches('.layer-row')")
        page.keyboard.press("ArrowDown")
        settled(page, "layers")
        press_until(page, "document.activeElement.matches('.field')")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".cell")).to_contain_text("It sees")
        press_until(page, "document.activeElement.matches('.tile')")
        page.keyboard.press("ArrowRight")
        expect(page.locator(".tile[aria-selected=true]")).to_be_focused()


def press_until(page: Page, reached: str) -> None:
    """Press Tab until the expression holds; on the way every focus must be visible."""
    for _ in range(60):
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        seen = page.evaluate(f"document.activeElement === document.body || {outline} !== 'none'")
        assert seen, page.evaluate("document.activeElement.outerHTML")
        if page.evaluate(reached):
            return
    raise AssertionError(f"never reached: {reached}")


def test_skip_link_leads_to_the_results(bench: Bench) -> None:
    """The first link jumps over what is given, and leaves the address as it is."""
    with bench.open("#sample=cat.jpg") as page:
        settled(page, "answer")
        before = page.url
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#results")).to_be_focused()
        assert page.url == before


def test_motion_can_be_turned_off(bench: Bench) -> None:
    """Who wants less motion gets none."""
    with bench.open("#sample=cat.jpg", reduced_motion="reduce") as page:
        expect(page.locator(".fill").first).to_have_css("transition-duration", "0s")
    with bench.open("#sample=cat.jpg", reduced_motion="no-preference") as page:
        expect(page.locator(".fill").first).to_have_css("transition-duration", "0.24s")
