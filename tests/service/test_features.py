import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import onnx
import pytest

from service.contract.errors import InvalidParameter, ModelNotReady, UnknownLayer
from service.contract.manifest import Tap
from service.tasks.channels import parse_channels
from service.tasks.feature_map import FeatureMap
from service.tasks.features import FeatureMaps
from tests.onnx_graphs import Net, open_session, residual_net, run_all_taps, write_graph

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "xo_convnet.json").read_text())
IMAGES = np.random.default_rng(1).integers(0, 256, (1, 20, 16, 3), np.uint8)
SIZE = IMAGES.shape[1:3]
MODULES = {
    "stem/Conv": ("stem",),
    "block.conv2/Conv": ("block.conv2",),
    "block/Add": ("block",),
    "block/Relu": ("", "block"),
    "fc/Gemm": ("fc",),
}


class Opened:
    """Opens prefixes for real and remembers which tensors they were for."""

    def __init__(self) -> None:
        self.tensors: list[str] = []

    def __call__(self, prefix: bytes) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        session = open_session(prefix)
        self.tensors += session.outputs
        return session


@pytest.fixture
def opened() -> Opened:
    return Opened()


@pytest.fixture
def maps(tmp_path: Path, opened: Opened) -> FeatureMaps:
    file, graph = write_graph(residual_net(), tmp_path, MODULES)
    return FeatureMaps(partial(onnx.load, file), graph, opened, max_prefixes=2, size=SIZE)


def test_every_tap_gives_the_tensor_of_the_whole_graph(maps: FeatureMaps) -> None:
    """What is shown is what the production graph computes, as float32 without the batch."""
    for name, expected in run_all_taps(residual_net(), IMAGES).items():
        feature_map = maps.compute(name, IMAGES)
        assert feature_map.tap.name == name
        assert feature_map.values.shape == feature_map.tap.shape
        assert feature_map.values.dtype == np.float32
        np.testing.assert_allclose(feature_map.values, expected[0], rtol=1e-5)


def test_module_path_means_the_last_tap_of_the_module(maps: FeatureMaps) -> None:
    """`block` is the block's output, behind its addition and its ReLU."""
    assert maps.tap("block").name == "block/Relu"
    assert maps.tap("block.conv2").name == "block.conv2/Conv"
    np.testing.assert_array_equal(
        maps.compute("block", IMAGES).values, maps.compute("block/Relu", IMAGES).values
    )


def test_tap_that_the_graph_does_not_have_is_the_servers_fault(
    tmp_path: Path, opened: Opened
) -> None:
    """The manifest lists it, so it is no unknown layer; the model does not keep its promise."""
    file, graph = write_graph(residual_net(), tmp_path)
    promised = graph.taps[0].model_copy(update={"name": "dream/Conv"})
    graph = graph.model_copy(update={"taps": (promised, *graph.taps)})
    maps = FeatureMaps(partial(onnx.load, file), graph, opened, max_prefixes=2, size=SIZE)
    with pytest.raises(ModelNotReady, match="lists the layer 'dream/Conv'"):
        maps.compute("dream/Conv", IMAGES)


def test_unknown_layer_names_the_nearest_taps_and_modules(maps: FeatureMaps) -> None:
    """The error carries names that would have worked."""
    with pytest.raises(UnknownLayer, match=r"no layer 'block\.conv3'") as caught:
        maps.compute("block.conv3", IMAGES)
    assert "block.conv2" in caught.value.nearest
    with pytest.raises(UnknownLayer) as caught:
        maps.tap("Relu")
    assert "block/Relu" in caught.value.nearest
    with pytest.raises(UnknownLayer):
        maps.tap("")


def test_graph_file_is_read_only_when_first_needed(tmp_path: Path, opened: Opened) -> None:
    """Starting a server does not parse what nobody asks for."""
    file, graph = write_graph(residual_net(), tmp_path)
    content = file.read_bytes()
    file.unlink()
    maps = FeatureMaps(partial(onnx.load, file), graph, opened, max_prefixes=2, size=SIZE)
    assert maps.tap("fc").name == "fc/Gemm"
    with pytest.raises(FileNotFoundError):
        maps.layers()
    file.write_bytes(content)
    assert maps.layers() is maps.layers()
    assert [layer.name for layer in maps.layers().layers] == [tap.name for tap in graph.taps]


def test_prefixes_are_kept_and_the_least_recently_used_goes_first(
    maps: FeatureMaps, opened: Opened
) -> None:
    """Two are kept here: the third drives out the one that waited longest."""
    for layer in ("stem", "fc", "stem", "block", "stem", "fc"):
        maps.compute(layer, IMAGES)
    assert opened.tensors == ["stem/Conv", "fc/Gemm", "block/Relu", "fc/Gemm"]


def test_concurrent_requests_for_a_layer_build_it_once(tmp_path: Path) -> None:
    """Everybody waits for the one who is building, and gets the same answer."""
    file, graph = write_graph(residual_net(), tmp_path)
    everyone = Barrier(8)
    opened = Opened()
    maps = FeatureMaps(partial(onnx.load, file), graph, opened, max_prefixes=2, size=SIZE)

    def ask(_: int) -> FeatureMap:
        everyone.wait(timeout=10)
        return maps.compute("block", IMAGES)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert opened.tensors == ["block/Relu"]
    for answer in answers:
        np.testing.assert_array_equal(answer.values, answers[0].values)


def test_building_one_layer_does_not_hold_up_another(tmp_path: Path) -> None:
    """A slow prefix keeps only those waiting who want it."""
    file, graph = write_graph(residual_net(), tmp_path)
    building, finish = Event(), Event()

    def open_slowly(prefix: bytes) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        session = open_session(prefix)
        if session.outputs == ["fc/Gemm"]:
            building.set()
            assert finish.wait(timeout=10)
        return session

    maps = FeatureMaps(partial(onnx.load, file), graph, open_slowly, max_prefixes=2, size=SIZE)
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(maps.compute, "fc", IMAGES)
        assert building.wait(timeout=10)
        assert maps.compute("stem", IMAGES).values.shape == (4, 20, 16)
        assert not slow.done()
        finish.set()
        assert slow.result(timeout=10).values.shape == (10,)


def test_failure_to_open_a_prefix_is_not_kept(tmp_path: Path) -> None:
    """The next request tries again."""
    file, graph = write_graph(residual_net(), tmp_path)
    failures = [MemoryError("no memory left")]

    def open_or_fail(prefix: bytes) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        if failures:
            raise failures.pop()
        return open_session(prefix)

    maps = FeatureMaps(partial(onnx.load, file), graph, open_or_fail, max_prefixes=2, size=SIZE)
    with pytest.raises(MemoryError):
        maps.compute("fc", IMAGES)
    assert maps.compute("fc", IMAGES).values.shape == (10,)


def feature_map(values: list[Any]) -> FeatureMap:
    array = np.array(values, np.float32)
    tap = Tap(
        name="a/Relu", modules=(), op="Relu", shape=array.shape, stride=None, receptive_field=None
    )
    return FeatureMap(tap, array)


def test_statistics_of_hand_worked_channels() -> None:
    """Minimum, maximum, mean, zeros: by channel, in the order asked for."""
    first, second = feature_map([[[0, -1], [4, 5]], [[0, 0], [0, 0]]]).statistics([1, 0])
    assert (first.channel, first.minimum, first.maximum, first.mean) == (1, 0, 0, 0)
    assert first.zero_share == 1
    assert (second.channel, second.minimum, second.maximum, second.mean) == (0, -1, 5, 2)
    assert second.zero_share == 0.25


def test_channels_that_are_zero_everywhere_are_dead() -> None:
    """Half of these channels are silent on this picture; a NaN is not silence."""
    maps = [[[0, 0]], [[0, -1]], [[0, float("nan")]], [[0, 0]]]
    assert feature_map(maps).dead_channel_share == 0.5
    assert feature_map([0, 1, 2, 3]).dead_channel_share == 0.25


def test_values_that_are_no_numbers_are_counted_and_left_out() -> None:
    """NaN and infinity would make the other figures useless, and JSON invalid."""
    broken, hopeless = feature_map(
        [[[1, float("nan")], [3, float("inf")]], [[float("nan")] * 2] * 2]
    ).statistics([0, 1])
    assert (broken.minimum, broken.maximum, broken.mean, broken.non_finite) == (1, 3, 2, 2)
    assert (hopeless.minimum, hopeless.maximum, hopeless.mean) == (None, None, None)
    assert hopeless.non_finite == 4


@pytest.mark.parametrize(
    ("spec", "indices"),
    [
        ("all", (0, 1, 2, 3)),
        ("2", (2,)),
        ("0-2", (0, 1, 2)),
        ("3, 0-1", (3, 0, 1)),
        ("1,1,0-2", (1, 0, 2)),
    ],
)
def test_channels_are_read_from_numbers_and_ranges(spec: str, indices: tuple[int, ...]) -> None:
    """Each channel comes once, in the order given."""
    assert parse_channels(spec, 4) == indices


@pytest.mark.parametrize(
    "spec",
    [
        "",
        ",",
        "x",
        "-1",
        "1-",
        "2-1",
        "4",
        "0-4",
        "1.5",
        "0-999999999",
        "9" * 50,
        "0-3," * 5000 + "0",
    ],
)
def test_nonsense_channels_are_refused_with_the_valid_range(spec: str) -> None:
    """The message says what would have been right, and stays short."""
    with pytest.raises(InvalidParameter, match="has the channels 0-3") as caught:
        parse_channels(spec, 4)
    assert len(str(caught.value)) < 300


def xo_convolution() -> onnx.ModelProto:
    """Return the lecture's first stage: three filters, ReLU, pooling; black is -1, white is 1."""
    net = Net(9, 9, 1)
    net.add("Mul", net.last, net.constant(np.float32(2)), name="input/Double")
    net.add("Sub", net.last, net.constant(np.float32(1)), name="input/Sub")
    filters = np.array(list(GOLDEN["filters"].values()), np.float32)[:, None] / 9
    conv = net.node("Conv", net.last, net.constant(filters), name="conv/Conv")
    net.channels[conv] = 3
    how = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
    pool = net.add("MaxPool", conv, name="pool/MaxPool", **how)
    relu = net.add("Relu", conv, name="relu/Relu")
    return net.model(relu, pool)


@pytest.mark.parametrize(
    ("layer", "tables"), [("conv", "conv"), ("relu", "relu"), ("pool", "pool_after_conv")]
)
def test_published_tables_of_the_xo_net_come_out(tmp_path: Path, layer: str, tables: str) -> None:
    """The lecture's numbers, cut toward zero to two decimals, from the lecture's picture."""
    file, graph = write_graph(xo_convolution(), tmp_path)
    maps = FeatureMaps(partial(onnx.load, file), graph, open_session, max_prefixes=1, size=(9, 9))
    white = np.array(GOLDEN["image"])[None, :, :, None] > 0
    values = maps.compute(layer, np.where(white, 255, 0).astype(np.uint8)).values
    for channel, table in zip(values, GOLDEN[tables].values(), strict=True):
        cut = np.trunc(np.round(channel.astype(np.float64) * 100, 4)) / 100
        np.testing.assert_array_equal(cut, table)
