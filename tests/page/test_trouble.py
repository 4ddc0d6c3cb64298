"""What the page says when something is wrong: where, why, and what to do; and never nothing."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.api.real_server import start, stop
from tests.page.browser import ROOT, Bench, drop, settled
from tests.page.test_access import violations

KEY = "a-key-of-the-page-1"


@pytest.fixture(scope="module")
def locked(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The page of a server that wants a key."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / "xo", models / "xo")
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY)
    server = start(models, "--api-keys-file", str(keys))
    yield Bench(browser, server.url)
    stop(server)


def test_file_that_is_no_picture_is_refused_kindly(bench: Bench) -> None:
    """The server's own words stand where the answer would, and a sample helps at once."""
    with bench.noting("#model=cifar10") as (page, noted):
        drop(page, "letter.jpg", b"Dear server, I am no picture.", "image/jpeg")
        problem = page.locator("#view-answer .problem")
        expect(problem).to_contain_text("Unsupported media")
        expect(problem).to_contain_text("no picture in a format that is read here")
        expect(problem).to_contain_text("take one of the samples")
        expect(page.locator("#live")).to_contain_text("Unsupported media")
        expect(page.locator("#stage")).to_contain_text("Your browser cannot show this file")
        assert violations(page) == []

        page.get_by_role("button", name="Cat", exact=True).click()
        expect(page.locator(".bars .name").first).to_have_text("cat")
        assert noted.refused == [415]
        assert noted.complaints == []


def test_server_that_is_gone_is_said_to_be(bench: Bench) -> None:
    """Where no answer comes, the page says so, and goes on when the server is back."""
    with bench.noting() as (page, noted):
        page.locator("#model:enabled").wait_for()
        page.route("**/classify*", lambda route: route.abort())
        page.get_by_role("button", name="Cat", exact=True).click()
        expect(page.locator(".problem")).to_contain_text("The server cannot be reached")

        page.unroute("**/classify*")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".bars .name").first).to_have_text("cat")
        assert noted.complaints == []


def test_page_that_cannot_begin_says_why(bench: Bench) -> None:
    """Even the very first question may fail; the page is not blank."""
    with bench.noting(path="/docs") as (page, noted):
        page.route("**/v1/models", lambda route: route.abort())
        page.goto(f"{bench.url}/")
        expect(page.locator(".problem")).to_contain_text("No answer")
        page.unroute("**/v1/models")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#model")).to_have_value("cifar10")
        assert noted.complaints == []


def test_unknown_names_in_the_address_do_no_harm(bench: Bench) -> None:
    """An address may be older than the models: what is not there gives way to what is."""
    with bench.open("#model=gone&version=7&view=nowhere&layer=no/Layer&sample=cat.jpg") as page:
        expect(page.locator(".bars .name").first).to_have_text("cat")
        expect(page.locator("#model")).to_have_value("cifar10")


def test_key_is_asked_for_and_used(locked: Bench) -> None:
    """The page is there without a key, asks for one, and says when it does not fit."""
    with locked.noting() as (page, noted):
        dialog = page.locator("#key-dialog")
        expect(dialog).to_be_visible()
        expect(page.locator("#key-field")).to_be_focused()
        page.keyboard.type("not the right key")
        page.keyboard.press("Enter")
        expect(page.locator("#key-detail")).to_contain_text("did not fit")
        page.locator("#key-field").fill(KEY)
        page.get_by_role("button", name="Use it").click()
        expect(dialog).to_be_hidden()
        expect(page.locator("#model")).to_have_value("xo")

        page.get_by_role("button", name="An X").click()
        expect(page.locator(".bars .name").first).to_have_text("X")
        page.get_by_text("The command").first.click()
        command = page.locator(".actions code").inner_text()
        assert "$CONVSCOPE_KEY" in command
        assert KEY not in command + page.url
        assert set(noted.refused) == {401}

        page.get_by_role("link", name="API").click()
        expect(page.locator(".opblock").first).to_be_visible()


def test_key_that_is_not_given_is_explained(locked: Bench) -> None:
    """Whoever has no key learns what is missing."""
    with locked.noting() as (page, _):
        page.get_by_role("button", name="Not now").click()
        expect(page.locator(".problem")).to_contain_text("Unauthorized")
        expect(page.locator(".problem")).to_contain_text("Ask whoever runs this server")


def test_models_for_other_files_say_what_they_need(bench: Bench) -> None:
    """A model that takes sounds does not get a picture; the view says what it needs."""
    with bench.open("#sample=cat.jpg") as page:
        settled(page, "answer")
        page.locator("#model").select_option("silence")
        expect(page.locator(".invitation")).to_contain_text("silence takes a sound")
        page.get_by_role("tab", name="Layers").click()
        expect(page.locator("#view-layers")).to_contain_text("Give it a file")


def test_folder_without_models_is_named(browser: Browser, tmp_path: Path) -> None:
    """A server whose models were all refused says why on its page."""
    shutil.copytree(ROOT / "models" / "xo", tmp_path / "xo")
    os.remove(tmp_path / "xo" / "1" / "CARD.md")
    server = start(tmp_path)
    try:
        with Bench(browser, server.url).open() as page:
            expect(page.locator(".problem")).to_contain_text("CARD.md")
    finally:
        stop(server)
