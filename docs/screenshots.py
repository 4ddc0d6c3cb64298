"""Takes the pictures of the page that the documents show, in a real browser.

    python docs/screenshots.py

It needs Chromium, and Playwright from the extra `dev`. What is on the pictures comes from the
running server and the bundled models.
"""

import io
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
DESK, PHONE = (1280, 800), (360, 740)
LARGEST_BYTES = 150_000
COLORS = (256, 160, 96)
_LAYERS = "sample=cat.jpg&view=layers&layer=group1/Add&channel=26&cell=4,5"
# name: (what of the page, window, colour scheme)
SHOTS = {
    "page-cat.png": (_LAYERS, DESK, "light"),
    "page-street.png": ("sample=temple.jpg", DESK, "dark"),
    "page-sound.png": ("sample=seven.flac", DESK, "light"),
    "page-explain.png": ("model=flowers&sample=flower.jpg&view=explain", DESK, "dark"),
    "page-phone.png": ("sample=cat.jpg", PHONE, "light"),
}


def serve() -> tuple[subprocess.Popen[str], str]:
    """Start a server on any free port; return it and its address."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    greeting = process.stdout.readline()
    return process, "http://" + greeting.partition("http://")[2].partition(",")[0]


def shoot(browser: Browser, url: str, fragment: str, size: tuple[int, int], scheme: str) -> bytes:
    """Return the page as a PNG when it has done its work, with the methods side by side."""
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.goto(f"{url}/#{fragment}")
    page.locator(".view:not([hidden])[aria-busy=false] .actions").wait_for()
    for gallery in page.get_by_text("All methods side by side").all():
        gallery.click()
    expect(page.locator(".pick:not(:has(img))")).to_have_count(0, timeout=30_000)
    page.wait_for_load_state("networkidle")
    picture = page.screenshot()
    page.close()
    return picture


def squeeze(picture: bytes) -> bytes:
    """Return the PNG with as many colours as fit into LARGEST_BYTES."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    palettes = [image.quantize(colors, Image.Quantize.MAXCOVERAGE, kmeans=4) for colors in COLORS]
    dithered = [image.quantize(palette=palette) for palette in palettes]
    for candidate in (image, *dithered, *palettes):
        buffer = io.BytesIO()
        candidate.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST_BYTES:
            return buffer.getvalue()
    raise ValueError(f"a picture of {image.size} does not fit into {LARGEST_BYTES} bytes")


def main() -> None:
    """Take all pictures."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    process, url = serve()
    try:
        with sync_playwright() as playwright:
            options = ["--no-sandbox"]  # in containers, as root
            browser = playwright.chromium.launch(executable_path=program, args=options)
            for name, (fragment, size, scheme) in SHOTS.items():
                picture = squeeze(shoot(browser, url, fragment, size, scheme))
                (PICTURES / name).write_bytes(picture)
                print(f"{name}: {len(picture):,} bytes")
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
