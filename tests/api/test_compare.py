import io
from collections.abc import Iterator

import pytest
from PIL import Image

from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter, write_spans

JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of one model of each task, and of two versions of one."""
    root = tmp_path_factory.mktemp("models")
    write_model(root, "colors", 1, sharpness=1)
    for write in (write_segmenter, write_listener, write_spans):
        write(root)
    write_model(root, "colors", 2, sharpness=10)
    with Client(Settings(models_dir=root, device="cpu", threads=2, policy="all")) as client:
        yield client


def test_versions_of_one_model_are_compared(everything: Client) -> None:
    """Answers, how far they agree, and a row a layer."""
    path = "/v1/compare?model=colors@1&model=colors"
    answer = everything.post(path, content=flat("red", "PNG"), headers=JSON)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["models"] == [
        {"name": "colors", "version": version, "execution_provider": "CPUExecutionProvider"}
        for version in (1, 2)
    ]
    likeliest = [answer["predictions"][0] for answer in found["answers"]]
    assert [said["label"] for said in likeliest] == ["red", "red"]
    assert found["agree"] is True
    apart = likeliest[1]["probability"] - likeliest[0]["probability"]
    assert found["max_probability_difference"] == pytest.approx(apart, rel=1e-4)
    # they differ behind the layers that can be looked at
    assert found["layers"] == [
        {
            "layer": name,
            "other_layer": name,
            "shape": [3, 8, 8],
            "max_absolute_difference": 0.0,
            "mean_absolute_difference": 0.0,
            "relative_difference": 0.0,
            "cosine": 1.0,
        }
        for name in ("conv/Conv", "relu/Relu")
    ]
    assert found["unmatched"] == []


@pytest.mark.parametrize(
    ("model", "body"),
    [
        ("paint", flat("red")),
        ("loudness", stored(tone(0.7))),
        ("pauses", stored(tone(0.7))),
    ],
)
def test_every_task_is_compared(everything: Client, model: str, body: bytes) -> None:
    """Masks by the share that has the same class; all of them as figures and as a picture."""
    path = f"/v1/compare?model={model}&model={model}"
    found = everything.post(path, content=body, headers=JSON).json()
    assert found["agree"] is True
    assert found["agreement"] == (None if model == "loudness" else 1.0)
    told = "predictions" if model == "loudness" else "classes"
    assert found["answers"][0] == found["answers"][1]
    assert found["answers"][0][told]
    drawn = everything.post(path, content=body)
    assert drawn.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.content)).format == "PNG"


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("", 422, "model"),
        ("model=colors", 422, "Two models are compared, not 1"),
        ("model=colors&model=colors&model=colors", 422, "Two models are compared, not 3"),
        ("model=colors&model=paint", 422, "does image-classification and 'paint'"),
        ("model=colors&model=colours", 404, "Did you mean 'colors'"),
        ("model=colors&model=colors@3", 404, "There is no version '3'"),
        ("model=colors&model=colors@x", 422, "a version is a number"),
        ("model=colors&model=@", 422, "a version is a number"),
        ("model=colors&model=%00", 404, "There is no model"),
        ("model=colors&model=colors&start_s=1", 422, "start_s is for sounds"),
    ],
)
def test_what_cannot_be_compared_is_told(
    everything: Client, query: str, status: int, sentence: str
) -> None:
    """As a problem, with what could be."""
    answer = everything.post(f"/v1/compare?{query}", content=flat("red"))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"nothing", 415), (flat("red")[:200], 422), (stored(tone(0.1)), 415)],
)
def test_what_is_no_picture_is_refused(everything: Client, body: bytes, status: int) -> None:
    """With the status that `classify` has for it."""
    answer = everything.post("/v1/compare?model=colors&model=colors", content=body)
    assert answer.status_code == status, answer.text


def test_one_file_at_a_time(everything: Client) -> None:
    """Several are refused."""
    files = [("file", ("a.jpg", flat("red")))] * 2
    answer = everything.post("/v1/compare?model=colors&model=colors", files=files)
    assert answer.status_code == 422
    assert "at a time, not 2" in answer.json()["detail"]


def test_answer_that_comes_too_late_is_given_up(everything: Client) -> None:
    """As everywhere: 504."""
    headers = {"x-request-timeout-ms": "0.01"}
    path = "/v1/compare?model=colors&model=colors"
    assert everything.post(path, content=flat("red"), headers=headers).status_code == 504
