from collections.abc import Iterator

import pytest
from tritonclient.http import InferenceServerClient

from tests.api.oip.speaking import ADMIN, KEY, write_models
from tests.api.real_server import Server, start, stop
from tests.tiny_models import write_model


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of `write_models` that wants keys."""
    folder = tmp_path_factory.mktemp("served")
    write_models(folder / "models")
    (folder / "keys").write_text(KEY["x-api-key"])
    (folder / "admin-keys").write_text(ADMIN["x-api-key"])
    server = start(
        folder / "models",
        f"--api-keys-file={folder / 'keys'}",
        f"--admin-keys-file={folder / 'admin-keys'}",
    )
    yield server
    assert stop(server) == 0


@pytest.fixture(scope="session")
def unready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of colors, which is not ready since the card of bad is missing; without keys."""
    root = tmp_path_factory.mktemp("unready")
    write_model(root)
    (write_model(root, "bad") / "CARD.md").unlink()
    server = start(root)
    yield server
    assert stop(server) == 0


@pytest.fixture(scope="session")
def triton(served: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{served.port}") as client:
        yield client
