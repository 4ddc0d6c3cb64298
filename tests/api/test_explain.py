import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from service.settings import Settings
from tests.api.client import Client
from tests.pictures import flat
from tests.sound_graphs import noise, wav, write_silence, write_tones
from tests.tiny_models import write_model, write_segmenter

PATH = "/v1/models/colors/explain"
NPY = {"accept": "application/x-npy"}
JSON = {"accept": "application/json"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A classifier of pictures, a segmenter of any size, and both kinds of listeners."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root)
    write_tones(root)
    write_silence(root)
    with Client(Settings(models_dir=root, device="cpu", threads=2)) as client:
        yield client


def halves(width: int = 40, height: int = 30) -> bytes:
    """Return a PNG that is red on the left and green on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2, 0] = picture[:, width // 2 :, 1] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def picture_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def test_model_tells_what_it_can_be_asked(many: Client) -> None:
    """Methods with their layers, the default one first, and the classes."""
    offer = many.get(PATH).json()
    assert offer["model"] == {"name": "colors", "version": 1}
    assert offer["classes"] == ["red", "green", "blue"]
    assert offer["methods"][0] == {
        "method": "cam",
        "default": True,
        "layers": ["relu/Relu"],
        "default_layer": "relu/Relu",
    }
    occlusion = offer["methods"][-1]
    assert (occlusion["method"], occlusion["layers"]) == ("occlusion", [])
    assert occlusion["default_layer"] is None


@pytest.mark.parametrize("headers", [{}, {"accept": "*/*"}, {"accept": "image/png"}])
def test_overlay_glows_where_the_class_is(many: Client, headers: dict[str, str]) -> None:
    """It has the picture's own size: red glows on the left, and the right half turns gray."""
    answer = many.post(f"{PATH}?class_index=0", content=halves(), headers=headers)
    assert answer.headers["content-type"] == "image/png"
    shown = picture_of(answer.content)
    assert shown.shape == (30, 40, 3)
    left, right = shown[:, :14], shown[:, 28:]
    assert (left[..., 0] > left[..., 2] + 80).all()
    assert (right.max(axis=2) - right.min(axis=2) <= 1).all()


def test_map_is_had_alone_and_as_numbers(many: Client) -> None:
    """The array is not normalised: ten times the red in each of the 8 x 8 cells."""
    answer = many.post(f"{PATH}?class_index=0", content=halves(16, 16), headers=NPY)
    values = np.load(io.BytesIO(answer.content))
    assert values.dtype == np.float32
    assert values.shape == (8, 8)
    np.testing.assert_allclose(values[:, [0, 7]], [[10, 0]] * 8, atol=1e-4)
    alone = many.post(f"{PATH}?class_index=0&render=map", content=halves())
    assert picture_of(alone.content).shape[1] > 400


def test_figures_tell_what_was_explained_and_how(many: Client) -> None:
    """The peak is in the picture's own pixels: a cell of the left half."""
    told = many.post(PATH, content=halves(), headers=JSON).json()
    assert (told["method"], told["layer"], told["label"]) == ("cam", "relu/Relu", "red")
    assert told["probability"] == pytest.approx(0.5, abs=0.01)
    assert told["shape"] == [8, 8]
    assert (told["minimum"], told["maximum"]) == (0, pytest.approx(10))
    assert (told["degenerate"], told["reason"]) == (False, None)
    assert told["peak"]["x"] == 0.5 * 40 / 8
    assert told["timing"]["total_ms"] >= told["timing"]["decode_ms"]


@pytest.mark.parametrize("method", ["cam", "ablation-cam", "eigen-cam", "score-cam", "occlusion"])
def test_every_method_answers(many: Client, method: str) -> None:
    """And is named in the answer."""
    answer = many.post(f"{PATH}?method={method}", content=halves(), headers=JSON)
    assert answer.status_code == 200
    assert answer.json()["method"] == method


def test_map_that_says_nothing_leaves_the_picture_plain(many: Client) -> None:
    """The reason is printed below it."""
    told = many.post(PATH, content=flat("#c80000", "PNG"), headers=JSON).json()
    assert told["degenerate"]
    assert told["peak"] is None
    shown = picture_of(many.post(PATH, content=flat("#c80000", "PNG")).content)
    assert (shown[:30, :40] == [200, 0, 0]).all()
    assert shown.shape[0] > 30
    assert (shown[30:] > 200).any()  # letters


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("method=guess", 422, "method"),
        ("class_index=3", 422, "the classes 0 to 2"),
        ("class_index=-1", 422, "class_index"),
        ("class_index=99999999999999999999", 422, "the classes 0 to 2"),
        ("layer=nothing", 404, "no layer"),
        ("method=occlusion&layer=relu", 422, "not of a layer"),
        ("method=cam&layer=conv", 422, "pooled"),
        ("x=1", 422, "together"),
        ("x=1&y=1", 422, "for segmenters"),
        ("start_s=1", 422, "for sounds"),
        ("render=mosaic", 422, "render"),
    ],
)
def test_what_cannot_be_asked_is_told(many: Client, query: str, status: int, told: str) -> None:
    """As a problem that says what is wrong."""
    answer = many.post(f"{PATH}?{query}", content=halves())
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert told in answer.text


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (1200, 800)])
@pytest.mark.parametrize("model", ["colors", "paint"])
def test_picture_of_any_size_comes_back_at_that_size(
    many: Client, model: str, size: tuple[int, int]
) -> None:
    """Or larger where the reason is printed below it."""
    path = f"/v1/models/{model}/explain?class_index=0&method=occlusion"
    answer = many.post(path, content=halves(*size))
    assert answer.status_code == 200
    height, width = picture_of(answer.content).shape[:2]
    assert height >= size[1]
    assert width >= size[0]


@pytest.mark.parametrize("body", [b"", b"no picture", wav(noise(4000))])
def test_what_is_no_picture_is_refused(many: Client, body: bytes) -> None:
    """A sound sent to a model for pictures, too; the server lives on."""
    assert many.post(PATH, content=body).status_code in (400, 415)
    assert many.post(PATH, content=halves()).status_code == 200


def test_one_picture_at_a_time(many: Client) -> None:
    """Explanations of several files would have no clear form."""
    answer = many.post(PATH, files=[("file", ("a.png", halves()))] * 2)
    assert answer.status_code == 422
    assert "at a time, not 2" in answer.json()["detail"]


def test_segmenter_is_asked_for_a_pixel_of_the_picture(many: Client) -> None:
    """The pixel's own class is explained, wherever the padding of the input lies."""
    path = "/v1/models/paint/explain?method=occlusion"
    told = many.post(f"{path}&x=35&y=29", content=halves(), headers=JSON).json()
    assert told["label"] == "green"
    assert abs(told["peak"]["x"] - 35) < 4
    assert abs(told["peak"]["y"] - 29) < 4
    answer = many.post(f"{path}&x=40&y=0", content=halves())
    assert answer.status_code == 422
    assert "40 x 30 pixels" in answer.json()["detail"]


def test_class_that_is_nowhere_in_the_picture_says_so(many: Client) -> None:
    """And what it would look like is not made up."""
    path = "/v1/models/paint/explain?class_index=2"
    told = many.post(path, content=halves(), headers=JSON).json()
    assert told["reason"] == "The model finds this class nowhere in the input."
    assert told["probability"] == 0


@pytest.mark.parametrize("method", ["auto", "eigen-cam", "score-cam", "occlusion"])
def test_sounds_are_explained_along_their_time(many: Client, method: str) -> None:
    """The peak is a moment of the sound, within the window that was asked for."""
    sound = wav(noise(12_000))
    path = f"/v1/models/tones/explain?method={method}&start_s=0.5&class_index=1"
    told = many.post(path, content=sound, headers=JSON).json()
    if told["peak"]:
        assert 0.5 <= told["peak"]["time_s"] <= 1.0
    else:
        assert told["reason"]
    answer = many.post(path, content=sound)
    assert picture_of(answer.content).shape[1] > 400
    assert many.post(f"{path}&render=map", content=sound).status_code == 200


def test_segmenter_of_sounds_is_explained(many: Client) -> None:
    """Where it finds the class, along the waveform since it has no spectrogram."""
    sound = np.concatenate([noise(2000), np.zeros(2000, np.float32)])
    path = "/v1/models/silence/explain?method=occlusion&class_index=0"
    told = many.post(path, content=wav(sound), headers=JSON).json()
    assert told["label"] == "first"
    assert told["peak"]["time_s"] < 0.25  # it is loud in the first quarter of a second
    assert told["peak"]["band"] is None
    assert many.post(path, content=wav(sound)).headers["content-type"] == "image/png"


def test_time_that_is_too_short_ends_the_work(many: Client) -> None:
    """504, though the work goes through many steps."""
    headers = {"x-request-timeout-ms": "0.001"}
    answer = many.post(f"{PATH}?method=occlusion", content=halves(), headers=headers)
    assert answer.status_code == 504


def test_explanations_asked_for_together_are_all_answered(many: Client) -> None:
    """They take turns; each gets what it would have got alone."""
    alone = many.post(f"{PATH}?method=ablation-cam", content=halves(), headers=NPY).content
    requests = [{"content": halves(), "headers": NPY}] * 8
    answers = many.post_together(f"{PATH}?method=ablation-cam", requests, 1, lambda: None)
    assert [answer.content for answer in answers] == [alone] * 8


def test_every_method_of_the_path_is_told_where_another_is_asked_for(many: Client) -> None:
    """GET and POST are routes of their own there."""
    answer = many.request("DELETE", PATH)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert "GET and POST are" in answer.json()["detail"]
