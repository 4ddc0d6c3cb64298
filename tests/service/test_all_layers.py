"""All layers from one run."""

from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from service.contract.errors import InvalidParameter
from service.contract.manifest import Tap
from service.tasks import features
from service.tasks.colors import ColorScale, fit_scale
from service.tasks.feature_map import FeatureMap
from service.tasks.features import FeatureMaps
from service.tasks.ink import PAPER
from service.tasks.sheet import STRIP_PX, render_sheet, render_strip
from service.tasks.thumbnail import Thumbnail, channel_thumbnails, make_thumbnail
from tests.onnx_graphs import open_session, residual_net, run_all_taps, write_graph

IMAGES = np.random.default_rng(1).integers(0, 256, (1, 20, 16, 3), np.uint8)
DARK, YELLOW = (68, 1, 84), (253, 231, 37)


class Opened:
    """Opens prefixes for real and remembers what each run of one gave."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []

    def __call__(self, prefix: bytes) -> object:
        session = open_session(prefix)

        def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            self.runs.append(session.outputs)
            return session(inputs)

        return run


def maps_of(folder: Path, opened: Opened) -> FeatureMaps:
    file, graph = write_graph(residual_net(), folder)
    return FeatureMaps(partial(onnx.load, file), graph, opened, max_prefixes=9, size=(20, 16))


def test_one_run_gives_every_layer_in_order(tmp_path: Path) -> None:
    """Each is the tensor of the whole graph, and nothing is run twice."""
    opened = Opened()
    expected = run_all_taps(residual_net(), IMAGES)
    found = list(maps_of(tmp_path, opened).compute_all(IMAGES))
    assert [each.tap.name for each in found] == list(expected)
    assert opened.runs == [list(expected)]
    for each in found:
        np.testing.assert_allclose(each.values, expected[each.tap.name][0], rtol=1e-5)


def test_more_than_fits_at_once_comes_in_several_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run gives more than the limit, unless that is a single layer; nothing is missing."""
    limit = 12_000  # two maps of 4 x 20 x 16 floats and a bit
    monkeypatch.setattr(features, "_MOST_BYTES_AT_ONCE", limit)
    opened = Opened()
    expected = run_all_taps(residual_net(), IMAGES)
    found = list(maps_of(tmp_path, opened).compute_all(IMAGES))
    assert [each.tap.name for each in found] == list(expected)
    assert [name for names in opened.runs for name in names] == list(expected)
    assert len(opened.runs) > 2
    for names in opened.runs:
        assert len(names) == 1 or sum(expected[name].nbytes for name in names) <= limit


def test_graph_for_batches_of_one_size_gets_as_many_copies(tmp_path: Path) -> None:
    """A file exported for four pictures at a time shows one as well, and two."""
    model = residual_net()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    file, graph = write_graph(model, tmp_path)
    maps = FeatureMaps(partial(onnx.load, file), graph, open_session, max_prefixes=9, size=(20, 16))
    expected = run_all_taps(residual_net(), IMAGES)["block/Relu"]
    np.testing.assert_allclose(maps.compute("block/Relu", IMAGES).values, expected[0], rtol=1e-5)
    two = maps.run("block/Relu", np.concatenate([IMAGES, IMAGES]))
    np.testing.assert_allclose(two, np.concatenate([expected, expected]), rtol=1e-5)


def found(values: np.ndarray, name: str = "layer1.conv/Conv") -> FeatureMap:
    array = values.astype(np.float32)
    tap = Tap(
        name=name, modules=(), op="Conv", shape=array.shape, stride=None, receptive_field=None
    )
    return FeatureMap(tap, array)


def test_strongest_channels_come_first() -> None:
    """By the mean of absolute values: signs do not matter, nor do values that are no numbers."""
    maps = found(np.array([[[1, 1]], [[-3, 3]], [[np.nan, 2]], [[0, 0]]]))
    assert maps.strongest(range(4), 9) == (1, 2, 0, 3)
    assert maps.strongest((0, 3, 2), 2) == (2, 0)


def test_thumbnail_shows_the_strongest_channel_in_its_own_shape() -> None:
    """Averaged where there are many cells; nothing of the map itself is held."""
    values = np.zeros((3, 640, 320))
    values[2, :, 160:] = 8
    large = found(values)
    small = make_thumbnail(large)
    assert (small.channel, small.values.shape) == (2, (160, 80))
    assert small.values[:, :40].max() == 0
    assert small.values[:, 40:].min() == 8
    assert not np.shares_memory(small.values, large.values)
    picture = small.painted(64, fit_scale(small.values))
    assert picture.shape == (64, 32, 3)
    assert (picture[:, :16] == DARK).all()
    assert (picture[:, 16:] == YELLOW).all()


def test_numbers_are_folded_to_a_square() -> None:
    """Ten numbers are three rows of four, and the two that are missing are paper."""
    small = make_thumbnail(found(np.arange(10)))
    assert small.channel is None
    picture = small.painted(64, fit_scale(small.values))
    assert picture.shape == (48, 64, 3)
    assert tuple(picture[0, 0]) == DARK
    assert tuple(picture[40, 24]) == YELLOW
    assert (picture[32:, 32:] == PAPER).all()


def test_sequence_shows_all_its_channels() -> None:
    """A row a channel, along the time."""
    small = make_thumbnail(found(np.array([[0.0] * 320, [4.0] * 320])))
    picture = small.painted(64, fit_scale(small.values))
    assert picture.shape == (64, 64, 3)
    assert (picture[:32] == DARK).all()
    assert (picture[32:] == YELLOW).all()


def test_spectrogram_stands_upright() -> None:
    """Its first row, the lowest band, is drawn at the bottom."""
    values = np.zeros((1, 8, 8))
    values[0, 0] = 1
    upright = make_thumbnail(found(values)).upside_down
    picture = upright.painted(64, fit_scale(upright.values))
    assert (picture[-8:] == YELLOW).all()
    assert (picture[:-8] == DARK).all()


def strip(thumbnails: list[Thumbnail], scales: list[ColorScale]) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(render_strip(thumbnails, scales))))


def test_strip_has_a_bare_tile_for_each() -> None:
    """64 x 64 pixels below each other, and what is not square lies in the middle of its tile."""
    maps = found(np.stack([np.full((4, 8), level) for level in (0.0, 1.0)]))
    thumbnails = channel_thumbnails(maps, [1, 0])
    picture = strip(thumbnails, [fit_scale(maps.values)] * 2)
    assert picture.shape == (2 * STRIP_PX, STRIP_PX, 3)
    assert (picture[16:48] == YELLOW).all()
    assert (picture[64 + 16 : 64 + 48] == DARK).all()
    assert (picture[48:80] == PAPER).all()


def test_strip_of_too_many_is_refused() -> None:
    """The message says what to ask for instead."""
    thumbnails = channel_thumbnails(found(np.zeros((1025, 1, 2))), range(1025))
    with pytest.raises(InvalidParameter, match="1025 tiles are too many"):
        render_strip(thumbnails, [fit_scale(np.zeros(1))] * 1025)


@pytest.mark.parametrize("count", [1, 6, 34, 109, 400, 700])
def test_sheet_of_any_net_fits(count: int) -> None:
    """No side passes 2048 pixels, and every layer has its tile."""
    yellow = found(np.array([[[0.0, 0.0], [0.0, 1.0]]]), "very.long.path.of.a.module/Relu")
    sheet = render_sheet([make_thumbnail(yellow)] * count, "net 1")
    picture = np.asarray(Image.open(BytesIO(sheet)))
    assert max(picture.shape) <= 2048
    bright = (picture == YELLOW).all(axis=-1)
    per_tile = bright.sum() / count
    assert per_tile == round(per_tile) >= 16 * 16


def test_sheet_of_too_many_layers_is_refused() -> None:
    """A strip or figures are still to be had."""
    with pytest.raises(InvalidParameter, match="render=strip"):
        render_sheet([make_thumbnail(found(np.zeros((1, 2, 2))))] * 2000, "net 1")
