"""Whether the server answers and may be asked, as the Open Inference Protocol has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.speaking import KEY, error_of
from tests.tiny_models import write_model


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Client]:
    """A server that wants keys and has one good model."""
    write_model(tmp_path)
    settings = Settings(models_dir=tmp_path, device="cpu", threads=1, api_keys=KEY["x-api-key"])
    with Client(settings) as client:
        yield client


def test_health_is_told_without_a_key(healthy: Client) -> None:
    """KServe's client reads `live` and `ready`; all else of the protocol wants a key."""
    assert healthy.get("/v2/health/live").json() == {"live": True}
    assert healthy.get("/v2/health/ready").json() == {"ready": True}
    for path in ("/v2", "/v2/models", "/v2/models/colors/ready", "/v2/health"):
        answer = healthy.get(path)
        assert answer.status_code == 401, path
        assert error_of(answer).startswith("This needs a key")


def test_refused_model_keeps_the_server_from_being_ready(client: Client) -> None:
    """503 with the reason that /readyz gives, while the process is live and others answer."""
    answer = client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert error_of(answer) == client.get("/readyz").json()["detail"]
    assert error_of(answer) == "Not all that is wanted is ready: bad/1/CARD.md: is missing."
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/models/colors/ready").status_code == 200


def test_draining_server_is_not_ready_but_live(healthy: Client) -> None:
    """Gateways look elsewhere, for each model too."""
    healthy.app.state.condition.drain()
    for path in ("/v2/health/ready", "/v2/models/colors/ready"):
        answer = healthy.get(path, headers=KEY)
        assert (answer.status_code, error_of(answer)) == (503, "The server is shutting down.")
    assert healthy.get("/v2/health/live").status_code == 200


def test_server_with_a_broken_device_is_not_ready(healthy: Client) -> None:
    """Only a new process could answer."""
    healthy.app.state.condition.latch("The device is gone.")
    answer = healthy.get("/v2/health/ready")
    assert answer.status_code == 503
    assert error_of(answer) == "The device is gone. This process must be restarted."
