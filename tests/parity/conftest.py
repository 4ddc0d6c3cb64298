from collections.abc import Iterator

import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.parity.bundled import MODELS


@pytest.fixture(scope="package")
def client() -> Iterator[Client]:
    """A client of the application that serves the bundled models."""
    with Client(Settings(models_dir=MODELS)) as client:
        yield client
