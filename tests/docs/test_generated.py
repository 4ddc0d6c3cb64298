import asyncio
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402
import screenshots  # noqa: E402


def test_generated_parts_are_current() -> None:
    """Settings and figures in the documents are those of the program; else run docs/generate.py."""
    answer = asyncio.run(generate.fetch_answer())
    for file, text in generate.generated_documents(answer).items():
        assert file.read_text() == text, f"{file.name} is out of date: python docs/generate.py"


def test_pictures_of_the_documents_are_made() -> None:
    """Every picture that a document shows is made by docs/generate.py or docs/screenshots.py."""
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for line in file.read_text().splitlines():
            if line.startswith("!["):
                name = line.rpartition("/")[2].rstrip(")")
                assert name in (
                    generate.FEATURE_MAPS
                    | generate.OVERLAYS
                    | generate.STABILITIES
                    | generate.KERNELS
                    | generate.EXPLANATIONS
                    | screenshots.SHOTS
                )
                assert (ROOT / "docs" / "pictures" / name).is_file()


def test_screenshots_are_small() -> None:
    """The pictures of the page load quickly."""
    for name in screenshots.SHOTS:
        size = (ROOT / "docs" / "pictures" / name).stat().st_size
        assert 5_000 < size <= screenshots.LARGEST_BYTES, name


def test_sample_x_is_the_published_picture() -> None:
    """The 9x9 sample is the picture of the published tables."""
    published = json.loads((ROOT / "tests" / "golden" / "xo_convnet.json").read_text())["image"]

    assert ((np.array(published) + 1) / 2 * 255 == generate.PUBLISHED_X).all()
