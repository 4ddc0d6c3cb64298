from threading import Event

import numpy as np
import pytest

from service.codecs.image import ImageLimits, encode_png
from service.contract.errors import DeadlineExceeded, InvalidParameter, TooLarge
from service.contract.preprocess import Pixels
from service.contract.specs import ImagePreprocessing
from service.tasks import segment
from service.tasks.segment import Output, Question, Segmenter

LABELS, COLORS = ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255))


class Net:
    """Takes the colour of every pixel for its class, and keeps the shapes that it saw."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, batch: Pixels, alone: bool) -> Output:
        self.shapes.append(batch.shape)
        logits = batch.astype(np.float32).transpose(0, 3, 1, 2) / 32
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return Output(logits.argmax(1).astype(np.uint8), powers / powers.sum(1, keepdims=True))


def segmenter_of(net: Net, resize: str = "same_area") -> Segmenter:
    spec = ImagePreprocessing.model_validate(
        {
            "color": "rgb",
            "resize": resize,
            "height": 48,
            "width": 64,
            "multiple": 8,
            "mean": (0,) * 3,
            "std": (1,) * 3,
        }
    )
    return Segmenter(spec, LABELS, COLORS, net, ImageLimits(max_pixels=2_000_000))


def quarters(height: int, width: int) -> tuple[bytes, np.ndarray]:
    """Return a PNG of red, green and blue parts, and its true mask."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, width // 2 :] = 1
    mask[height // 2 :, : width // 3] = 2
    return encode_png(np.eye(3, dtype=np.uint8)[mask] * 255), mask


@pytest.mark.parametrize("size", [(1, 1), (48, 64), (480, 640), (17, 401), (100, 3), (30, 41)])
@pytest.mark.parametrize("resize", ["same_area", "none", "squash", "letterbox"])
def test_every_picture_has_a_mask_of_its_own_size(size: tuple[int, int], resize: str) -> None:
    """Whatever the shape, what is far from a border between classes keeps its class."""
    data, truth = quarters(*size)
    mask = segmenter_of(Net(), resize).segment(Question(data)).restore()
    assert mask.shape == size
    coarse = max(size[0] / 48, size[1] / 64, 1)
    assert (mask != truth).mean() <= 3 * coarse * (1 / size[0] + 1 / size[1]) / 2


@pytest.mark.parametrize("size", [(200, 333), (333, 200), (64, 1000), (65, 65)])
def test_tiles_at_full_size_give_the_whole(size: tuple[int, int]) -> None:
    """A net that sees one pixel gives in tiles exactly what it gives at once."""
    data, truth = quarters(*size)
    net = Net()
    tiled = segmenter_of(net).segment(Question(data, 64, "original", class_index=1))
    np.testing.assert_array_equal(tiled.restore(), truth)
    assert all(shape[0] == 1 and max(shape[1:3]) <= 64 for shape in net.shapes)
    whole = segmenter_of(Net()).segment(Question(data, 0, "original"))
    np.testing.assert_array_equal(whole.restore(), truth)
    np.testing.assert_allclose(tiled.probability(1), whole.probability(1), atol=1e-6)


def test_tiles_of_a_resized_picture_come_back_too() -> None:
    """Tiles and resizing go together: all probabilities are kept for the way back."""
    data, truth = quarters(480, 640)
    net = Net()
    tiled = segmenter_of(net).segment(Question(data, tile=32))
    assert len(net.shapes) > 4
    assert tiled.restore().shape == truth.shape
    whole = segmenter_of(Net()).segment(Question(data, tile=0))
    assert (tiled.restore() != whole.restore()).mean() < 0.001


def test_large_input_comes_in_tiles_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above a size tiles are taken unless they are turned off, and nothing is decoded early."""
    monkeypatch.setattr(segment, "WHOLE_PX", 64 * 64)
    monkeypatch.setattr(segment, "_TILE_PX", 64)
    data, truth = quarters(128, 200)
    net = Net()
    model = segmenter_of(net, "none")
    key, prepared = model.prepare(Question(data))
    assert prepared.inputs is None
    assert model.prepare(Question(data))[0] != key
    np.testing.assert_array_equal(model.run([prepared], True)[0].restore(), truth)
    assert {shape[1:3] for shape in net.shapes} == {(64, 64)}
    model.segment(Question(data, tile=0))
    assert net.shapes[-1] == (1, 128, 200, 3)


def test_pictures_of_one_input_size_share_a_batch() -> None:
    """Inputs of one shape have one key, and each comes back onto its own picture."""
    net = Net()
    model = segmenter_of(net)
    pictures = [quarters(48, 64), quarters(96, 128), quarters(480, 640)]
    prepared = [model.prepare(Question(data)) for data, _ in pictures]
    assert len({key for key, _ in prepared}) == 1
    answers = model.run([item for _, item in prepared], False)
    assert net.shapes == [(3, 48, 64, 3)]
    assert [answer.restore().shape for answer in answers] == [m.shape for _, m in pictures]


def test_work_ends_when_nobody_waits() -> None:
    """Between two tiles a picture is given up if its client has gone."""
    gone, net = Event(), Net()
    model = segmenter_of(net)

    def leave(batch: Pixels, alone: bool) -> Output:
        gone.set()
        return net(batch, alone)

    model._run = leave
    with pytest.raises(DeadlineExceeded):
        model.segment(Question(quarters(128, 256)[0], 64, "original", gone=gone))
    assert len(net.shapes) == 1


def test_fixed_inputs_take_no_tiles() -> None:
    """A graph of one input size says so, rather than to answer something else."""
    data, _ = quarters(128, 256)
    model = segmenter_of(Net(), "letterbox")
    with pytest.raises(InvalidParameter, match="tiles"):
        model.segment(Question(data, tile=64))
    with pytest.raises(InvalidParameter, match="resolution"):
        model.segment(Question(data, resolution="original"))


def test_layers_of_a_giant_are_refused() -> None:
    """Feature maps of an input that is run in tiles would not fit into memory."""
    data, _ = quarters(1200, 1600)
    with pytest.raises(TooLarge, match="1200 x 1600"):
        segmenter_of(Net(), "none").model_input(data)
    assert segmenter_of(Net()).model_input(data).shape == (48, 64, 3)
