import numpy as np
import onnx
import pytest

from service.contract.errors import InvalidParameter, UnknownLayer
from service.tasks.reasons.eigen import eigen_cam
from service.tasks.reasons.grid import Grid
from service.tasks.reasons.occlusion import patch_grid
from service.tasks.reasons.portions import portions_of
from tests.explained import explained, reasons_of
from tests.onnx_graphs import Net
from tests.tiny_models import colors_graph, paint_graph

# Red on the left, green on the right, no blue at all.
HALVES = np.zeros((8, 8, 3), np.uint8)
HALVES[:, :4, 0] = HALVES[:, 4:, 1] = 255
RED, GREEN = (HALVES[:, :, channel] / 255 for channel in (0, 1))


def deep_net(fill: float | None = None) -> onnx.ModelProto:
    """Return convolutions, a hidden layer and three classes: no head of pooling and a linear layer.

    fill: instead of the weights of the second convolution.
    """
    net = Net(12, 10, 3, seed=2)
    net.conv(5, (3, 3), name="first/Conv", strides=[2, 2], pads=[1] * 4)
    net.add("Relu", name="first/Relu")
    net.conv(6, (3, 3), name="second/Conv", pads=[1] * 4)
    net.add("Relu", name="second/Relu")
    net.node("Flatten", net.last, name="flatten/Flatten")
    net.gemm(6 * 30, 4, name="hidden/Gemm")
    net.node("Tanh", net.last, name="hidden/Tanh")
    net.gemm(4, 3, name="scores/Gemm")
    net.node("Softmax", net.last, name="probabilities")
    if fill is not None:
        weight = next(t for t in net.initializers if list(t.dims) == [6, 5, 3, 3])
        values = np.full((6, 5, 3, 3), fill, np.float32)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    return net.model("probabilities")


NOISE = np.random.default_rng(1).integers(0, 256, (12, 10, 3), np.uint8)


def test_cam_is_the_channels_by_the_weights_of_the_class() -> None:
    """The toy's scores are ten times the mean of each colour."""
    found = explained(reasons_of(colors_graph(), 3), HALVES, class_index=0)
    assert (found.method, found.layer, found.class_index) == ("cam", "relu/Relu", 0)
    np.testing.assert_allclose(found.values, 10 * RED, rtol=1e-5)
    assert found.reason is None
    assert found.peak == (0.5, 0.5)
    assert found.runs == 2  # the whole graph for the class, and the prefix for the map


def test_ablation_takes_the_share_of_the_score_that_goes_with_a_channel() -> None:
    """Red's score of 5 goes wholly with the red channel, and not at all with the others."""
    reasons = reasons_of(colors_graph(), 3)
    found = explained(reasons, HALVES, method="ablation-cam", class_index=0)
    np.testing.assert_allclose(found.values, RED, atol=1e-5)
    assert (found.channels, found.tried) == (3, 3)


def test_ablation_keeps_its_direction_where_the_score_is_below_zero() -> None:
    """A score of -5 that falls to -10 without the channel falls by one of its size."""
    model = colors_graph()
    shift = onnx.numpy_helper.from_array(np.float32([[-10, 0, 0]]), "shift")
    model.graph.initializer.append(shift)
    softmax = model.graph.node[-1]
    model.graph.node.insert(
        len(model.graph.node) - 1, onnx.helper.make_node("Add", ["logits", "shift"], ["shifted"])
    )
    softmax = model.graph.node[-1]
    softmax.input[0] = "shifted"
    found = explained(reasons_of(model, 3), HALVES, method="ablation-cam", class_index=0)
    np.testing.assert_allclose(found.values, RED, atol=1e-5)


def test_score_cam_weighs_by_the_probability_seen_through_the_channel() -> None:
    """Seen through red only the left half is left, through green only the right one."""
    reasons = reasons_of(colors_graph(), 3)
    found = explained(reasons, HALVES, method="score-cam", class_index=0)
    e5 = np.exp(5.0)
    expected = RED * e5 / (e5 + 2) + GREEN / (e5 + 2)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)
    assert (found.channels, found.tried) == (3, 3)  # blue is the same everywhere: no mask at all
    assert found.runs == 4  # the class, the map, and two masks


def test_occlusion_is_the_fall_of_the_probability_behind_each_patch() -> None:
    """Here a patch is three pixels wide, centred on each of the 64 pixels in turn."""
    found = explained(
        reasons_of(colors_graph(sharpness=3), 3), HALVES, method="occlusion", class_index=0
    )

    def probability(image: np.ndarray) -> float:
        powers = np.exp(3 * image.mean(axis=(0, 1)) / 255)
        return float(powers[0] / powers.sum())

    expected = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            hidden = HALVES.astype(np.float64)
            hidden[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = 0
            expected[row, column] = probability(HALVES) - probability(hidden)
    np.testing.assert_allclose(found.values, expected, atol=2e-6)
    assert found.layer is None
    assert found.runs == 1 + 1 + 64


@pytest.mark.parametrize("shape", [(3, 6, 7), (50, 4, 5)])
def test_eigen_cam_is_the_first_component_of_the_map(shape: tuple[int, ...]) -> None:
    """As NumPy's own decomposition has it, with fewer channels than cells and with more."""
    maps = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    left, sizes, _ = np.linalg.svd(maps.reshape(len(maps), -1).T.astype(np.float64))
    expected = left[:, 0] * sizes[0]
    expected = (expected if expected.sum() >= 0 else -expected).reshape(shape[1:])
    np.testing.assert_allclose(eigen_cam(maps).values, expected, rtol=1e-4, atol=1e-5)


def test_segmenter_is_explained_where_it_finds_the_class_or_at_one_pixel() -> None:
    """Red is found on the left only; a pixel on the right is green."""
    model = paint_graph(blur=1)
    for axis, size in zip(
        model.graph.input[0].type.tensor_type.shape.dim[1:3], (8, 8), strict=True
    ):
        axis.dim_value = size
    reasons = reasons_of(model, 3, "image-segmentation")
    red = explained(reasons, HALVES, method="occlusion", class_index=0)
    assert red.probability == pytest.approx(np.exp(10) / (np.exp(10) + 2))
    assert (red.values[:, 5:] == 0).all()  # no patch there touches the left half
    assert (red.values[1:-1, 1:3] > 0.01).all()
    here = explained(reasons, HALVES, method="occlusion", place=(0.1, 0.9))
    assert here.class_index == 1
    row, column = np.nonzero(here.values)
    assert (row.max(), column.min()) == (1, 6)  # only patches that hide the pixel at (0, 7)
    nowhere = explained(reasons, HALVES, method="occlusion", class_index=2)
    assert nowhere.reason == "The model finds this class nowhere in the input."
    assert not nowhere.values.any()


def test_default_method_and_layer_follow_from_the_graph() -> None:
    """Without a head for CAM: ablation of the deepest map that is fine enough, rectified."""
    plan = reasons_of(deep_net(), 3).plan()
    assert plan.methods() == ["ablation-cam", "eigen-cam", "score-cam", "occlusion"]
    assert plan.default_layer("ablation-cam") == "second/Relu"
    assert plan.usable("ablation-cam")[-4:] == [
        "first/Conv",
        "first/Relu",
        "second/Conv",
        "second/Relu",
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"method": "cam"}, "not global average pooling"),
        ({"layer": "hidden/Gemm"}, "cells have a place"),
        ({"method": "occlusion", "layer": "first/Relu"}, "not of a layer"),
        ({"class_index": 3}, "the classes 0 to 2"),
    ],
)
def test_what_is_impossible_here_is_told(asked: dict[str, object], told: str) -> None:
    """The message says why, or what is possible."""
    with pytest.raises(InvalidParameter, match=told):
        explained(reasons_of(deep_net(), 3), NOISE, **asked)


def test_cam_takes_no_other_layer_than_the_pooled_one() -> None:
    """Its weights belong to those channels."""
    reasons = reasons_of(colors_graph(), 3)
    with pytest.raises(InvalidParameter, match="only 'relu/Relu', which is pooled"):
        explained(reasons, HALVES, method="cam", layer="conv/Conv")
    with pytest.raises(UnknownLayer):
        explained(reasons, HALVES, layer="nothing")


@pytest.mark.parametrize(
    ("asked", "fill", "reason"),
    [
        ({"method": "ablation-cam"}, 0.0, "The map is zero everywhere"),
        ({"method": "ablation-cam"}, np.nan, "no finite numbers"),
        ({"method": "eigen-cam"}, np.nan, "no finite numbers"),
        ({"method": "score-cam"}, np.nan, "no finite numbers"),
    ],
)
def test_map_that_says_nothing_is_told_so(
    asked: dict[str, object], fill: float, reason: str
) -> None:
    """A broken or a silent layer makes no map, and no peak."""
    found = explained(reasons_of(deep_net(fill), 3), NOISE, layer="second/Relu", **asked)
    assert found.degenerate
    assert found.reason is not None
    assert reason in found.reason
    assert found.peak is None


def test_map_below_zero_and_map_without_differences_say_nothing() -> None:
    """A class that only loses by red, and a picture of one colour."""
    model = colors_graph(sharpness=-10)
    red = np.zeros((8, 8, 3), np.uint8)
    red[:, :4] = 255
    found = explained(reasons_of(model, 3), red, class_index=0)
    assert found.reason == "No cell speaks for the class: none is above zero."
    flat = explained(reasons_of(colors_graph(), 3), np.full((8, 8, 3), 200, np.uint8))
    assert flat.reason == "The map is the same everywhere: it points nowhere."


def test_work_is_bounded_by_what_a_run_costs() -> None:
    """Ten times the pixels are ten times the work: fewer at once, and fewer in all."""
    layers = reasons_of(deep_net(), 3).plan().layers
    small, large = (portions_of(layers, enlarged, 2048) for enlarged in (1, 2e7))
    assert (small.at_once, small.most) == (64, 2048)
    assert (large.at_once, large.most) == (1, 16)
    assert [len(part) for part in small.of(np.arange(130))] == [64, 64, 2]


def test_values_between_cells_are_on_straight_lines_and_level_beyond_them() -> None:
    """Cells whose middles lie at 1, 3 and 5, and at 2 and 6."""
    grid = Grid(start=(1, 2), jump=(2, 4))
    values = np.array([[0.0, 4], [10, 14], [20, 24]])
    sampled = grid.sample(values, np.array([0.0, 1, 2, 5, 9]), np.array([0.5, 2, 3, 6, 8]))
    np.testing.assert_allclose(sampled[:, 0], [0, 0, 5, 20, 20])
    np.testing.assert_allclose(sampled[0], [0, 0, 1, 4, 4])


@pytest.mark.parametrize(
    ("size", "most"), [((224, 224), 196), ((1, 1), 196), ((1, 5888), 66), ((480, 640), 25)]
)
def test_patches_lie_all_over_the_input(size: tuple[int, int], most: int) -> None:
    """Every pixel is in the place of some patch, and there are no more than are allowed."""
    grid, (rows, columns) = patch_grid(size, most)
    assert rows * columns <= most
    assert rows * grid.jump[0] >= size[0]
    assert columns * grid.jump[1] >= size[1]
