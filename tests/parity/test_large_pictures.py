"""What it takes to look into a net with a photograph of many pixels."""

import io
import shutil
from pathlib import Path

import httpx
from PIL import Image

from tests.api.real_server import MB, start, stop
from tests.parity.bundled import MODELS, ROOT

SAMPLE = ROOT / "docs" / "samples" / "temple.jpg"


def photograph(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    with Image.open(SAMPLE) as image:
        image.resize(size).save(buffer, "JPEG")
    return buffer.getvalue()


def test_all_layers_of_a_large_photograph_take_bounded_memory(tmp_path: Path) -> None:
    """12 megapixels through street, in every form, three times over: the peak does not creep up."""
    shutil.copytree(MODELS / "street", tmp_path / "street")
    server = start(tmp_path)
    url = f"{server.url}/v1/models/street/feature-maps?layer=*"
    file, before = photograph((4000, 3000)), server.peak_bytes
    statuses = [
        httpx.post(url, content=file, headers={"accept": accept}, timeout=120).status_code
        for accept in 3 * ("application/json", "image/png")
    ]
    grown = server.peak_bytes - before
    assert stop(server) == 0
    assert statuses == [200] * 6
    assert grown < 500 * MB
