"""What models answered, held against the answers and against /metrics."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.speaking import ADMIN, write_models
from tests.api.real_server import Server, start, stop
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_model

NOTHING = {"count": 0, "ns": 0}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    write_models(tmp_path)
    settings = Settings(
        models_dir=tmp_path, device="cpu", threads=2, max_files=16, admin_keys=ADMIN["x-api-key"]
    )
    with Client(settings) as client:
        yield client


def stats(client: Client, path: str) -> list[Any]:
    answer = client.get(f"/v2/models/{path}stats")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["model_stats"])


def of_version(client: Client, name: str = "colors", version: int = 2) -> Any:
    (found,) = stats(client, f"{name}/versions/{version}/")
    assert (found["name"], found["version"]) == (name, str(version))
    return found


def classify(client: Client, files: int = 1, query: str = "") -> list[Any]:
    """Return the timings of so many pictures of one request."""
    parts = [("file", ("a.jpg", flat("red")))] * files
    answer = client.post(f"/v1/models/colors/classify{query}", files=parts).json()
    return [result["timing"] for result in answer.get("results", [answer])]


def sum_of(client: Client, name: str) -> float:
    """Return the sum of all of that metric's samples of version 2 of colors."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == name and sample.labels.get("version") == "2"
    )


def test_version_that_was_never_asked_has_zeros(client: Client) -> None:
    """Each field of Triton's statistics is there all the same."""
    found = of_version(client)
    times = found.pop("inference_stats")
    assert found == {
        "name": "colors",
        "version": "2",
        "last_inference": 0,
        "inference_count": 0,
        "execution_count": 0,
        "batch_stats": [],
    }
    assert list(times) == [
        "success",
        "fail",
        "queue",
        "compute_input",
        "compute_infer",
        "compute_output",
        "cache_hit",
        "cache_miss",
    ]
    assert all(duration == NOTHING for duration in times.values())


def test_sums_are_those_of_the_answers(client: Client) -> None:
    """Each request was told its own times; here they are together, in nanoseconds."""
    before_ms = time.time() * 1000
    timings = [timing for _ in range(3) for timing in classify(client)]
    after_ms = time.time() * 1000
    found = of_version(client)
    parts = {
        "success": "total_ms",
        "queue": "queue_ms",
        "compute_input": "decode_ms",
        "compute_infer": "compute_ms",
    }
    for name, part in parts.items():
        duration = found["inference_stats"][name]
        assert duration["count"] == 3
        told_ns = sum(timing[part] for timing in timings) * 1e6
        assert duration["ns"] == pytest.approx(told_ns, abs=3 * 500)  # told to the microsecond
    assert found["inference_stats"]["compute_output"] == {"count": 3, "ns": 0}
    assert found["inference_stats"]["fail"] == NOTHING
    assert (found["inference_count"], found["execution_count"]) == (3, 3)
    assert before_ms - 1 <= found["last_inference"] <= after_ms + 1


def test_batches_are_counted_by_their_size(client: Client) -> None:
    """Items and batches are those that /metrics tells; each size has its own time."""
    timings = [timing for _ in range(3) for timing in classify(client, files=8)]
    found = of_version(client)
    sizes = {batch["batch_size"]: batch for batch in found["batch_stats"]}

    assert found["inference_count"] == found["inference_stats"]["success"]["count"] == 24
    assert sum(size * batch["compute_infer"]["count"] for size, batch in sizes.items()) == 24
    assert found["execution_count"] == sum_of(client, "convscope_batch_size_count")
    assert set(sizes) == {timing["batch_size"] for timing in timings}
    for size, batch in sizes.items():
        # an item was told the time of its batch, in which there are `size` of them
        mine = [timing for timing in timings if timing["batch_size"] == size]
        told_ns = sum(timing["compute_ms"] for timing in mine) / size * 1e6
        assert batch["compute_infer"]["count"] == len(mine) / size
        assert batch["compute_infer"]["ns"] == pytest.approx(told_ns, abs=24 * 500)
        decoded_ns = sum(timing["decode_ms"] for timing in mine) * 1e6
        assert batch["compute_input"]["ns"] == pytest.approx(decoded_ns, abs=24 * 500)
    seconds = sum_of(client, "convscope_compute_seconds_sum")
    assert found["inference_stats"]["compute_infer"]["ns"] == pytest.approx(seconds * 1e9)


def test_versions_are_counted_apart(client: Client) -> None:
    """One was asked, the other was not; a model's statistics have both, lowest first."""
    classify(client, query="?version=1")
    first, second = stats(client, "colors/")
    assert (first["version"], first["inference_count"]) == ("1", 1)
    assert (second["version"], second["inference_count"]) == ("2", 0)


def test_sounds_and_masks_count_too(client: Client) -> None:
    """Whatever the route; a sound is one item, however many windows it has."""
    sound = stored(tone(3.0))
    assert client.post("/v1/models/loudness/classify", content=sound).status_code == 200
    assert client.post("/v1/models/meter/measure", content=sound).status_code == 200
    assert client.post("/v1/models/paint/segment", content=flat("red")).status_code == 200
    assert client.post("/v1/segment", content=flat("red")).status_code == 200
    assert client.post("/hf/spare", content=flat("red")).status_code == 200
    counts = {
        (each["name"], each["version"]): each["inference_count"] for each in stats(client, "")
    }
    assert counts == {
        ("colors", "1"): 0,
        ("colors", "2"): 0,
        ("loudness", "1"): 1,
        ("meter", "1"): 1,
        ("paint", "1"): 2,
        ("spare", "1"): 1,
    }
    assert of_version(client, "loudness", 1)["inference_stats"]["success"]["count"] == 1


def infer(client: Client, rows: int) -> int:
    """Send so many rows to colors; return the status."""
    data = [0] * (rows * 8 * 8 * 3)
    sent = {"name": "images", "datatype": "UINT8", "shape": [rows, 8, 8, 3], "data": data}
    return client.post("/v2/models/colors/infer", json={"inputs": [sent]}).status_code


def test_rows_of_tensors_count_one_by_one(client: Client) -> None:
    """More than fit into a batch are run in several, each of which is one item's work."""
    assert infer(client, 40) == 200  # 32 at most are run together
    found = of_version(client)
    assert (found["inference_count"], found["execution_count"]) == (40, 2)
    assert found["inference_stats"]["success"]["count"] == 2
    sizes = [(each["batch_size"], each["compute_infer"]["count"]) for each in found["batch_stats"]]
    assert sizes == [(8, 1), (32, 1)]
    assert all(each["compute_infer"]["ns"] > 0 for each in found["batch_stats"])
    assert infer(client, 0) == 422
    assert of_version(client)["inference_stats"]["fail"]["count"] == 1


def test_requests_that_got_no_answer_are_counted(client: Client) -> None:
    """Broken pictures are, by any route; a feature map that was not to be had is none."""
    assert client.post("/v1/models/colors/classify", content=b"no picture").status_code == 415
    assert client.post("/hf/colors", content=b"no picture").status_code == 415
    assert client.post("/v1/models/colors/feature-maps?layer=x", content=b"").status_code == 404
    assert client.post("/v1/models/colours/classify", content=b"").status_code == 404
    found = of_version(client)
    assert found["inference_stats"]["fail"]["count"] == 2
    assert 0 < found["inference_stats"]["fail"]["ns"] < 10e9
    assert found["inference_stats"]["success"] == NOTHING
    assert found["inference_count"] == 0


def test_statistics_begin_again_when_a_version_is_loaded(client: Client) -> None:
    """What another content of it answered says nothing of this one."""
    classify(client)
    client.post("/v1/models/colors/classify", content=b"no picture")
    for verb in ("unload", "load"):
        path = f"/v2/repository/models/colors/{verb}"
        assert client.post(path, headers=ADMIN).status_code == 200
    found = of_version(client)
    assert found["inference_count"] == found["last_inference"] == 0
    assert found["inference_stats"]["fail"] == NOTHING


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Server]:
    """A server of two processes."""
    write_model(tmp_path)
    server = start(tmp_path, "--processes", "2")
    assert server.process.stdout
    server.process.stdout.readline()  # of the other
    yield server
    assert stop(server) == 0


@pytest.mark.skipif(not hasattr(signal, "sigtimedwait"), reason="needs Linux")
def test_processes_of_one_server_are_added_up(two: Server) -> None:
    """Whichever is asked, it tells of all; each answered some."""
    sent, began_ms = 0, time.time() * 1000
    for _ in range(20):
        for _ in range(10):  # each over a connection of its own, which the system gives to either
            answer = httpx.post(f"{two.url}/v1/models/colors/classify", content=flat("red"))
            assert answer.status_code == 200
        sent += 10
        if len(processes_that_answered(two.url)) == 2:
            break
    else:
        pytest.fail("one process answered everything")
    for path in ("stats", "colors/stats", "colors/versions/1/stats"):
        (found,) = httpx.get(f"{two.url}/v2/models/{path}").json()["model_stats"]
        assert found["inference_count"] == found["execution_count"] == sent
        assert found["inference_stats"]["success"]["count"] == sent
        (batches,) = found["batch_stats"]
        assert batches["batch_size"] == 1
        assert batches["compute_infer"] == found["inference_stats"]["compute_infer"]
        assert began_ms - 1 <= found["last_inference"] <= time.time() * 1000 + 1


def processes_that_answered(url: str) -> set[str]:
    text = httpx.get(f"{url}/metrics").text
    return {
        sample.labels["process"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "convscope_total_seconds_count" and sample.value
    }
