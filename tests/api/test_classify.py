import pytest

from tests.api.client import Client
from tests.pictures import flat

PATH = "/v1/models/colors/classify"


def part(color: str) -> tuple[str, tuple[str, bytes]]:
    return "file", ("picture.jpg", flat(color))


@pytest.mark.parametrize(("color", "label"), [("red", "red"), ("lime", "green"), ("blue", "blue")])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_picture_gets_the_right_label_first(
    client: Client, color: str, label: str, format: str
) -> None:
    """Raw bytes in any format, likeliest class first, every probability in 0..1."""
    answer = client.post(PATH, content=flat(color, format)).json()
    predictions = answer["predictions"]
    assert predictions[0]["label"] == label
    assert predictions == sorted(predictions, key=lambda p: -p["probability"])
    assert sum(prediction["probability"] for prediction in predictions) == pytest.approx(1)


def test_answer_has_the_promised_shape(client: Client) -> None:
    """Model, predictions and timing, under the names that are documented."""
    answer = client.post(f"{PATH}?top_k=2", content=flat("red")).json()
    assert answer["model"] == {"name": "colors", "version": 2}
    assert [set(p) for p in answer["predictions"]] == [{"label", "class_index", "probability"}] * 2
    timing = answer["timing"]
    assert set(timing) == {"decode_ms", "queue_ms", "compute_ms", "total_ms", "batch_size"}
    assert timing["batch_size"] == 1
    assert (
        timing["total_ms"] >= timing["decode_ms"] + timing["queue_ms"] + timing["compute_ms"] - 0.01
    )


@pytest.mark.parametrize("content_type", ["image/png", "text/plain", "application/json", ""])
def test_content_is_sniffed_and_its_type_ignored(client: Client, content_type: str) -> None:
    """What a client claims about the bytes does not matter."""
    answer = client.post(PATH, content=flat("red"), headers={"content-type": content_type})
    assert answer.json()["predictions"][0]["label"] == "red"


def test_version_can_be_pinned(client: Client) -> None:
    """Without a version the highest answers, with one that very one."""
    sharp = client.post(PATH, content=flat("red")).json()
    dull = client.post(f"{PATH}?version=1", content=flat("red")).json()
    assert dull["model"]["version"] == 1
    assert dull["predictions"][0]["probability"] < sharp["predictions"][0]["probability"]


def test_default_model_answers_where_none_is_named(client: Client) -> None:
    """The only model that is ready is the default."""
    assert client.post("/v1/classify", content=flat("blue")).json()["model"]["name"] == "colors"


def test_single_file_part_is_answered_plainly(client: Client) -> None:
    """A form with one file gets what the raw bytes would get."""
    answer = client.post(PATH, files=[part("blue")]).json()
    assert answer["predictions"][0]["label"] == "blue"


def test_other_form_fields_do_not_matter(client: Client) -> None:
    """A browser's form may bring more than the file."""
    answer = client.post(PATH, files=[part("blue")], data={"comment": "my holiday"})
    assert answer.json()["predictions"][0]["label"] == "blue"


def test_one_bad_file_never_spoils_its_neighbours(client: Client) -> None:
    """Several files are answered in order, each with a result or a problem."""
    files = [part("red"), ("file", ("a.txt", b"hello")), ("file", ("b.jpg", b"")), part("lime")]
    answer = client.post(PATH, files=files)
    assert answer.status_code == 200
    first, text, empty, last = answer.json()["results"]
    assert first["predictions"][0]["label"] == "red"
    assert (text["status"], text["title"]) == (415, "Unsupported media")
    assert (empty["status"], empty["title"]) == (400, "Empty input")
    assert text["request_id"] == answer.headers["x-request-id"]
    assert last["predictions"][0]["label"] == "green"
