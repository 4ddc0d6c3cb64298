from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.tiny_models import write_model


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good versions of colors, and a model called bad whose card is missing."""
    root = tmp_path_factory.mktemp("models")
    write_model(root, "colors", 1, sharpness=1)
    write_model(root, "colors", 2, sharpness=10)
    (write_model(root, "bad", 1) / "CARD.md").unlink()
    return root


@pytest.fixture(scope="session")
def client(repository: Path) -> Iterator[Client]:
    settings = Settings(
        models_dir=repository,
        device="cpu",
        threads=2,
        max_body_bytes=300_000,
        max_files=4,
        max_pixels=1_000_000,
    )
    with Client(settings) as client:
        yield client
