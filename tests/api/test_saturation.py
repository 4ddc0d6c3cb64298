import threading
from pathlib import Path

import onnxruntime
import pytest

from service.api.saturation import Given, Saturation
from service.room import available_bytes
from service.runners import Runners
from service.settings import Settings
from tests.api.client import Client
from tests.api.test_metrics import OF_COLORS, scrape, value
from tests.pictures import flat
from tests.tiny_models import write_model

MAPS = "/v1/models/colors/feature-maps?layer="


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_model(tmp_path)
    return tmp_path


def settings(root: Path, **more: object) -> Settings:
    return Settings(models_dir=root, device="cpu", threads=2, **more)  # type: ignore[arg-type]


def test_what_was_given_is_told(root: Path) -> None:
    """Limits stand beside what is taken of them, so that a share can be asked for."""
    with Client(settings(root, runners=3, max_queue=7, request_timeout_ms=1500)) as client:
        assert value(client, "convscope_runners") == 3
        assert value(client, "convscope_queue_limit") == 7
        assert value(client, "convscope_request_timeout_seconds") == 1.5
        assert value(client, "convscope_memory_limit_bytes") == available_bytes()
        assert value(client, "convscope_device_info", device="cpu") == 1
        ((labels, _),) = scrape(client)["convscope_build_info"]
        assert labels["onnxruntime"] == onnxruntime.__version__


def test_runner_at_work_is_busy(root: Path) -> None:
    """One of two threads that cannot end its work counts until it may."""
    with Client(settings(root)) as client:
        runners = Runners(2)
        begun, may_end = threading.Event(), threading.Event()

        class Work:
            pending = False

            def take(self):  # type: ignore[no-untyped-def]
                return lambda alone: (begun.set(), may_end.wait())

        collector = Saturation(client.app.state.convscope, Given("cpu", False, 1, 1, runners))

        def busy() -> float:
            families = {family.name: family for family in collector.collect()}
            return families["convscope_runners_busy"].samples[0].value

        with runners.lock:
            runners.announce(Work())
        assert begun.wait(10)
        assert busy() == 1
        may_end.set()
        runners.close()


@pytest.mark.parametrize(("breaks", "ready"), [(False, 1), (True, 0)])
def test_ready_is_what_readyz_says(root: Path, breaks: bool, ready: int) -> None:
    """A model that was refused at the start makes it 0, and is named."""
    if breaks:
        (write_model(root, "bad", 4) / "CARD.md").unlink()
    with Client(settings(root)) as client:
        assert value(client, "convscope_ready") == ready
        assert (client.get("/readyz").status_code == 200) is bool(ready)
        refused = scrape(client).get("convscope_model_refused", [])
        assert refused == ([({"model": "bad", "version": "4"}, 1)] if breaks else [])


def test_draining_server_is_not_ready(root: Path) -> None:
    """The gauge follows readyz on the way down too."""
    with Client(settings(root)) as client:
        client.app.state.condition.drain()
        assert value(client, "convscope_ready") == 0


def test_prefixes_are_told_with_how_often_they_were_found(root: Path) -> None:
    """Three questions about two layers make two sub-models; only one may be kept."""
    with Client(settings(root, max_prefix_models=1)) as client:
        assert value(client, "convscope_prefix_models", **OF_COLORS) == 0
        for layer in ("relu", "relu", "conv"):
            assert client.post(MAPS + layer, content=flat("red")).status_code == 200
        assert value(client, "convscope_prefix_asked_total", **OF_COLORS) == 3
        assert value(client, "convscope_prefix_made_total", **OF_COLORS) == 2
        assert value(client, "convscope_prefix_models", **OF_COLORS) == 1
        assert value(client, "convscope_prefix_bytes", **OF_COLORS) > 0


def test_weights_of_each_version_are_told(root: Path) -> None:
    """The same figure as in the list of models."""
    with Client(settings(root)) as client:
        (model,) = client.get("/v1/models").json()["models"]
        told = value(client, "convscope_model_memory_bytes", **OF_COLORS)
        assert told == model["versions"][0]["memory_bytes"] > 0
