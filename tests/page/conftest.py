from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.api.real_server import start, stop
from tests.page.browser import ROOT, Bench, find_chromium


# Of this folder only: while Playwright is open no other event loop runs in this thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here: on Debian `apt-get install chromium`")
    with sync_playwright() as playwright:
        # containers run as root, where Chromium's own sandbox does not start
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def bench(browser: Browser) -> Iterator[Bench]:
    """The page of a server with the bundled models."""
    server = start(ROOT / "models")
    yield Bench(browser, server.url)
    stop(server)
