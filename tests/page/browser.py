"""A real browser, the page in it, and what it complained about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, expect

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "service" / "page" / "samples"
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
# Slower than any test machine; what is there is seen at once.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


def find_chromium() -> str | None:
    """Return the program of an installed Chromium or Chrome."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@dataclass
class Noted:
    """What the page asked for and complained about. refused: answers that are errors."""

    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)


class Bench:
    """The page of one server in one browser."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self.url = url

    @contextmanager
    def open(self, fragment: str = "", path: str = "/", **context: Any) -> Iterator[Page]:
        """Open the page; when the test is done it must not have complained or looked elsewhere."""
        with self.noting(fragment, path, **context) as (page, noted):
            yield page
        assert noted.complaints == []
        assert noted.refused == []
        hosts = {urlsplit(url).netloc for url in noted.requests if url.startswith("http")}
        assert hosts <= {urlsplit(self.url).netloc}

    @contextmanager
    def noting(
        self, fragment: str = "", path: str = "/", **context: Any
    ) -> Iterator[tuple[Page, Noted]]:
        """Open the page and note what it does, for tests in which something goes wrong."""
        chosen: dict[str, Any] = {"viewport": DESK, "reduced_motion": "reduce", **context}
        window = self._browser.new_context(**chosen)
        noted = Noted()
        page = window.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: _note_console(noted, said.type, said.text))
        page.on("pageerror", lambda error: noted.complaints.append(str(error)))
        page.on("request", lambda request: _note_request(noted, request))
        page.on("response", lambda answer: _note_status(noted, answer.status))
        try:
            page.goto(f"{self.url}{path}{fragment}")
            yield page, noted
        finally:
            window.close()


def _note_console(noted: Noted, kind: str, text: str) -> None:
    # Chromium writes this of every answer that is an error; `refused` has those
    if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
        noted.complaints.append(text)


def _note_request(noted: Noted, request: Request) -> None:
    noted.requests.append(request.url)


def _note_status(noted: Noted, status: int) -> None:
    if status >= 400:
        noted.refused.append(status)


def settled(page: Page, view: str) -> None:
    """Wait until the view is open and has done its work."""
    expect(page.locator(f"#view-{view}")).to_have_attribute("aria-busy", "false")


def drop(page: Page, name: str, content: bytes, media_type: str) -> None:
    """Drop a file on the page, as a mouse would."""
    page.evaluate(
        """([name, bytes, type]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
            const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
            document.querySelector("#stage").dispatchEvent(drop);
        }""",
        [name, list(content), media_type],
    )


def paste(page: Page, name: str, content: bytes, media_type: str) -> None:
    """Paste a file into the page."""
    page.evaluate(
        """([name, bytes, type]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], name, { type }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        [name, list(content), media_type],
    )
