import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from service.codecs.image import encode_png
from service.settings import Settings
from tests.api.client import Client
from tests.pictures import bomb, flat
from tests.tiny_models import LABELS, write_model, write_segmenter

PATH = "/v1/models/paint/segment"
SIZE = (90, 120)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server with a classifier and a segmenter that sees one pixel."""
    root = tmp_path_factory.mktemp("models")
    write_model(root)
    write_segmenter(root, blur=1, resize="none")
    settings = Settings(models_dir=root, device="cpu", threads=2, max_pixels=1_000_000)
    with Client(settings) as client:
        yield client


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    """A mask (90, 120) uint8: green on the right, a blue square with a red hole, red elsewhere."""
    mask = np.zeros(SIZE, np.uint8)
    mask[:, 80:] = 1
    mask[10:50, 10:60] = 2
    mask[20:30, 20:40] = 0
    mask[85, 5] = 2
    return mask


@pytest.fixture(scope="module")
def picture(truth: np.ndarray) -> bytes:
    return encode_png(np.eye(3, dtype=np.uint8)[truth] * 255)


def test_answer_tells_size_classes_and_time(
    client: Client, picture: bytes, truth: np.ndarray
) -> None:
    """Every class with its pixels and share, the largest first, and where the time went."""
    answer = client.post(PATH, content=picture)
    assert answer.status_code == 200
    told = answer.json()
    assert told["model"] == {"name": "paint", "version": 1}
    assert (told["height"], told["width"]) == SIZE
    counts = np.bincount(truth.reshape(-1))
    assert [entry["class_index"] for entry in told["classes"]] == [0, 1, 2]
    for entry in told["classes"]:
        assert entry["label"] == LABELS[entry["class_index"]]
        assert entry["pixels"] == counts[entry["class_index"]]
        assert entry["share"] == pytest.approx(entry["pixels"] / truth.size)
    assert told["classes"][0]["color"] == [255, 0, 0]
    timing = told["timing"]
    parts = sum(timing[name] for name in ("decode_ms", "queue_ms", "compute_ms", "encode_ms"))
    assert parts <= timing["total_ms"] * 1.01


# NumPy tells pycocotools that its way to make arrays will change.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_run_lengths_are_cocos(client: Client, picture: bytes, truth: np.ndarray) -> None:
    """pycocotools decodes each class to its own part of the mask."""
    for entry in client.post(PATH, content=picture).json()["classes"]:
        decoded = coco.decode(entry["rle"])
        np.testing.assert_array_equal(decoded, truth == entry["class_index"])


def test_palette_png_holds_the_mask(client: Client, picture: bytes, truth: np.ndarray) -> None:
    """As base64 in JSON and as an answer of its own, pixels are class indices."""
    told = client.post(PATH, params={"format": "png"}, content=picture).json()
    shown = client.post(PATH, content=picture, headers={"accept": "image/png"})
    assert shown.headers["content-type"] == "image/png"
    for content in (base64.b64decode(told["png"]), shown.content):
        with Image.open(io.BytesIO(content)) as image:
            np.testing.assert_array_equal(np.asarray(image), truth)
            assert np.asarray(image.convert("RGB"))[0, 0].tolist() == [255, 0, 0]
    assert "rle" not in told["classes"][0]


def test_polygons_have_the_area_of_their_class(
    client: Client, picture: bytes, truth: np.ndarray
) -> None:
    """Outlines with holes: exact without tolerance."""
    import shapely.geometry

    told = client.post(PATH, params={"format": "polygons", "tolerance": 0}, content=picture).json()
    for entry in told["classes"]:
        shape = shapely.geometry.shape(entry["polygons"])
        assert shape.is_valid
        assert shape.area == (truth == entry["class_index"]).sum() == entry["pixels"]


def test_small_regions_go_to_their_neighbours(client: Client, picture: bytes) -> None:
    """A single pixel disappears with min_area, and the mask stays whole."""
    told = client.post(PATH, params={"min_area": 50}, content=picture).json()
    pixels = {entry["label"]: entry["pixels"] for entry in told["classes"]}
    assert pixels["blue"] == 40 * 50 - 10 * 20
    assert sum(pixels.values()) == SIZE[0] * SIZE[1]


def test_overlay_is_the_picture_under_its_mask(client: Client, picture: bytes) -> None:
    """A colour picture of the same size."""
    shown = client.post(
        PATH, params={"render": "overlay"}, content=picture, headers={"accept": "image/png"}
    )
    with Image.open(io.BytesIO(shown.content)) as image:
        assert (image.mode, image.size) == ("RGB", SIZE[::-1])


def test_probability_can_be_seen_and_had(client: Client, picture: bytes, truth: np.ndarray) -> None:
    """White where the class is, and exact numbers as an array."""
    query = {"render": "probability", "class_index": 1}
    shown = client.post(PATH, params=query, content=picture, headers={"accept": "image/png"})
    array = client.post(
        PATH, params=query, content=picture, headers={"accept": "application/x-npy"}
    )
    values = np.load(io.BytesIO(array.content))
    assert (values.shape, values.dtype) == (SIZE, np.float32)
    np.testing.assert_array_equal(values > 0.5, truth == 1)
    with Image.open(io.BytesIO(shown.content)) as image:
        np.testing.assert_allclose(np.asarray(image.convert("L")) / 255, values, atol=1 / 255)


def test_mask_can_be_had_as_an_array(client: Client, picture: bytes, truth: np.ndarray) -> None:
    """(H, W) uint8, the class indices."""
    array = client.post(PATH, content=picture, headers={"accept": "application/x-npy"})
    np.testing.assert_array_equal(np.load(io.BytesIO(array.content)), truth)


@pytest.mark.parametrize("tile", ["auto", "off", "64", "72"])
def test_tiles_make_no_difference(
    client: Client, picture: bytes, truth: np.ndarray, tile: str
) -> None:
    """A net that sees one pixel gives the same mask in tiles of any size."""
    answer = client.post(
        PATH, params={"tile": tile}, content=picture, headers={"accept": "application/x-npy"}
    )
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), truth)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_mask_stands_as_the_picture_is_seen(
    client: Client, truth: np.ndarray, orientation: int
) -> None:
    """What EXIF turns is turned in the mask too."""
    turned = Image.fromarray(np.eye(3, dtype=np.uint8)[truth] * 255)
    exif = turned.getexif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=exif)
    answer = client.post(PATH, content=buffer.getvalue(), headers={"accept": "application/x-npy"})
    quarter_turns = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    np.testing.assert_array_equal(
        np.load(io.BytesIO(answer.content)), np.rot90(truth, quarter_turns)
    )


@pytest.mark.parametrize("size", [(1, 1), (17, 4001), (3, 2), (999, 1001)])
def test_picture_of_any_shape_is_answered(client: Client, size: tuple[int, int]) -> None:
    """From one pixel to a long strip, the answer has the picture's own size."""
    told = client.post(PATH, content=flat("lime", "PNG", size[::-1])).json()
    assert (told["height"], told["width"]) == size
    assert [(e["label"], e["share"]) for e in told["classes"]] == [("green", 1.0)]


def test_only_segmenter_is_the_default(client: Client, picture: bytes) -> None:
    """Beside a classifier, the one segmenter answers where none is named, and the other way."""
    assert client.post("/v1/segment", content=picture).json()["model"]["name"] == "paint"
    assert client.post("/v1/classify", content=flat("red")).json()["model"]["name"] == "colors"


def test_wrong_task_is_told(client: Client, picture: bytes) -> None:
    """A classifier cannot segment, and a segmenter not classify: 422 says what it does."""
    for path in ("/v1/models/colors/segment", "/v1/models/paint/classify"):
        answer = client.post(path, content=picture)
        assert answer.status_code == 422
        assert "does image-" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {"format": "svg"},
        {"tile": "12"},
        {"tile": "-5"},
        {"tile": "99999"},
        {"tolerance": -1},
        {"tolerance": "nan"},
        {"min_area": -1},
        {"resolution": "huge"},
        {"render": "probability"},
        {"render": "probability", "class_index": 3},
        {"render": "probability", "class_index": -1},
    ],
)
def test_wrong_query_is_422(client: Client, picture: bytes, query: dict[str, object]) -> None:
    """What is out of range is told before anything is computed."""
    answer = client.post(PATH, params=query, content=picture)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_parameter_of_several_kinds_is_named_once(client: Client, picture: bytes) -> None:
    """`tile` is a word or a number: the one error says what either would have to be."""
    (error,) = client.post(PATH, params={"tile": "12"}, content=picture).json()["errors"]
    assert error["parameter"] == "tile"
    assert "'auto' or 'off'" in error["detail"]
    assert "greater than or equal to 64" in error["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"no picture", 415), (flat("red")[:300], 422), (bomb(2000), 413)],
)
def test_bad_picture_is_refused(client: Client, body: bytes, status: int) -> None:
    """The statuses are those of the classifier."""
    assert client.post(PATH, content=body).status_code == status


def test_one_bad_file_spares_its_neighbours(client: Client, picture: bytes) -> None:
    """Several files give as many results; a picture or an array is made of one."""
    files = [("file", ("a.png", picture)), ("file", ("b.png", b"x")), ("file", ("c.png", picture))]
    results = client.post(PATH, files=files).json()["results"]
    assert [result.get("status", 200) for result in results] == [200, 415, 200]
    assert results[0]["classes"] == results[2]["classes"]
    several = client.post(PATH, files=files, headers={"accept": "image/png"})
    assert several.status_code == 422


def test_ragged_outlines_are_refused(client: Client) -> None:
    """A picture of noise has more corners than anybody wants to read: 413, not a dead server."""
    noise = np.random.default_rng(0).integers(0, 3, (1000, 1000))
    body = encode_png(np.eye(3, dtype=np.uint8)[noise] * 255)
    answer = client.post(PATH, params={"format": "polygons", "tolerance": 0}, content=body)
    assert answer.status_code == 413
    assert "corners" in answer.json()["detail"]


def test_layers_of_a_segmenter_can_be_looked_at(client: Client, picture: bytes) -> None:
    """The layer table is for the reference size, feature maps for the picture's own."""
    layers = client.get("/v1/models/paint/layers").json()["layers"]
    assert layers[0]["shape"] == [3, 12, 16]
    answer = client.post(
        "/v1/models/paint/feature-maps",
        params={"layer": "conv"},
        content=picture,
        headers={"accept": "application/x-npy"},
    )
    assert np.load(io.BytesIO(answer.content)).shape == (3, 92, 120)


def test_model_tells_its_colors(client: Client) -> None:
    """What a palette is made of can be asked for."""
    (version,) = client.get("/v1/models/paint").json()["versions"]
    assert version["colors"] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert version["task"] == "image-segmentation"


def test_segmenting_is_counted(client: Client, picture: bytes) -> None:
    """Requests and items of segmenters are in the figures like all others."""
    before = _counted(client)
    client.post(PATH, content=picture)
    client.post(PATH, content=picture, headers={"accept": "image/png"})
    assert _counted(client) == before + 2


def _counted(client: Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    wanted = 'convscope_requests_total{code="200",model="paint",task="segment",version="1"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted))
