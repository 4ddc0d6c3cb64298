import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from service.settings import Settings
from tests.api.client import Client
from tests.pictures import bomb, flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter, write_spans

PATH = "/v1/models/colors/stability"
JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server of one model of each task."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_segmenter, write_listener, write_spans):
        write(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def test_figures_tell_every_point(client: Client) -> None:
    """Which class is followed, and what was said at each amount, the one at rest among them."""
    answer = client.post(f"{PATH}?transform=rotate", content=flat("red", "PNG"), headers=JSON)
    found = answer.json()
    assert answer.status_code == 200
    assert found["model"] == {"name": "colors", "version": 2}
    assert (found["class_index"], found["label"], found["runs"]) == (0, "red", 13)
    (curve,) = found["curves"]
    assert {key: curve[key] for key in ("transform", "variant", "unit", "consistency")} == {
        "transform": "rotate",
        "variant": None,
        "unit": "degrees",
        "consistency": 1.0,
    }
    assert [point["amount"] for point in curve["points"]] == list(range(-30, 31, 5))
    assert curve["points"][6] == {
        "amount": 0.0,
        "probability": pytest.approx(found["probability"]),
        "class_index": 0,
        "label": "red",
        "agrees": True,
    }
    assert set(found["timing"]) == {"decode_ms", "compute_ms", "total_ms"}


@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}, {"accept": "image/png"}])
def test_picture_is_what_browsers_and_curl_get(client: Client, headers: dict[str, str]) -> None:
    """Whoever accepts anything gets a picture of all transforms."""
    answer = client.post(PATH, content=flat("red"), headers=headers)
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).format == "PNG"


@pytest.mark.parametrize(
    ("model", "body", "transforms"),
    [
        ("colors", flat("red"), {"shift", "rotate", "scale", "deform"}),
        ("paint", flat("red"), {"shift", "rotate", "scale", "deform"}),
        ("loudness", stored(tone(0.7)), {"shift", "gain", "speed"}),
        ("pauses", stored(tone(0.7)), {"shift", "gain", "speed"}),
    ],
)
def test_all_is_every_transform_of_that_kind_of_input(
    everything: Client, model: str, body: bytes, transforms: set[str]
) -> None:
    """Within the number of runs that one request may cost."""
    answer = everything.post(f"/v1/models/{model}/stability", content=body, headers=JSON).json()
    assert {curve["transform"] for curve in answer["curves"]} == transforms
    assert answer["runs"] <= 96


def test_window_of_a_sound_can_be_chosen(everything: Client) -> None:
    """It is loud only behind the first second, and silent before."""
    sound = stored(np.concatenate([0 * tone(1.0), tone(1.0)]))
    path = "/v1/models/loudness/stability?transform=gain"
    assert everything.post(path, content=sound, headers=JSON).status_code == 422
    answer = everything.post(f"{path}&start_s=1.2", content=sound, headers=JSON)
    assert answer.json()["label"] == "loud"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("colors/stability?transform=gain", 422, "there is shift, rotate, scale, deform"),
        ("loudness/stability?transform=rotate", 422, "there is shift, gain, speed"),
        ("colors/stability?transform=melt", 422, "transform"),
        ("colors/stability?class_index=3", 422, "has the classes 0-2"),
        ("colors/stability?class_index=-1", 422, "class_index"),
        (f"colors/stability?class_index={10**30}", 422, "class"),
        ("paint/stability?class_index=1", 422, "finds no 'green' here, but 0 (red)"),
        ("colors/stability?start_s=1", 422, "start_s is for sounds"),
        ("colours/stability", 404, "Did you mean 'colors'"),
        ("colors/stability?version=9", 404, "version"),
    ],
)
def test_what_cannot_be_asked_is_told(
    everything: Client, path: str, status: int, sentence: str
) -> None:
    """As a problem, with what could be."""
    answer = everything.post(f"/v1/models/{path}", content=flat("red"))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]


@pytest.mark.parametrize(
    ("model", "body", "status"),
    [
        ("colors", b"", 400),
        ("colors", b"no picture at all", 415),
        ("colors", flat("red")[:200], 422),
        ("colors", bomb(), 413),
        ("colors", stored(tone(0.5)), 415),
        ("loudness", flat("red"), 415),
        ("loudness", stored(tone(0.5))[:30], 422),
        ("loudness", stored(0 * tone(0.5)), 422),
    ],
)
def test_what_is_no_input_is_refused(
    everything: Client, model: str, body: bytes, status: int
) -> None:
    """With the status that `classify` has for it, and the server goes on."""
    answer = everything.post(f"/v1/models/{model}/stability", content=body)
    assert answer.status_code == status, answer.text
    assert everything.get("/livez").status_code == 200


def test_one_picture_at_a_time(client: Client) -> None:
    """Curves of several files would have no clear form, so they are refused."""
    answer = client.post(PATH, files=[("file", ("a.jpg", flat("red")))] * 2)
    assert answer.status_code == 422
    assert "at a time, not 2" in answer.json()["detail"]


def test_answer_that_comes_too_late_is_given_up(client: Client) -> None:
    """A deadline that no ninety runs can keep: 504."""
    headers = {"x-request-timeout-ms": "0.01"}
    assert client.post(PATH, content=flat("red"), headers=headers).status_code == 504
