import copy
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from onnx import numpy_helper
from PIL import Image

from service.contract.manifest import Manifest, read_manifest
from service.device import ON_CPU, Placement
from service.loader import load_version
from service.runtime import open_session
from tests.training.scene_folders import CLASSES, COLORS, RECIPE, write_scene
from training.cli import evaluate, export, train
from training.deployed import Deployed, deploy, module_outputs
from training.evaluate import EVALUATION_NAME
from training.export import load_deployed
from training.judges import JUDGES
from training.parity import check_parity, check_sizes, outputs_at_sizes
from training.run_folder import RunFolder
from training.segmentation_figures import SegmenterEvaluation
from training.taps import ExportError, relative_error, run_with_taps
from training.tasks import TASKS

SIZE = (96, 128)
NET_RECIPE = (
    RECIPE.replace("height = 40", "height = 96")
    .replace("width = 56", "width = 128")
    .replace("epochs = 4", "epochs = 3")
)


def invoke(command, *arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes in three splits, two trained seeds and their exported versions."""
    folder = tmp_path_factory.mktemp("workspace")
    for number, (split, count) in enumerate((("train", 8), ("val", 2), ("test", 3))):
        for i in range(count):
            write_scene(folder / "boxes" / split, f"scene{i}", seed=10 * number + i, size=SIZE)
    # served at another size than it is trained on
    write_scene(folder / "boxes" / "test", "tall", seed=99, size=(160, 90))
    (folder / "boxes" / "classes.csv").write_text(CLASSES)
    (folder / "tiny.toml").write_text(NET_RECIPE)
    for seed in (0, 1):
        invoke(
            train,
            *("--recipe", folder / "tiny.toml", "--data", folder / "boxes", "--seed", seed),
            *("--out", folder / f"run-{seed}", "--models-dir", folder / "models"),
        )
    return folder


@pytest.fixture(scope="module")
def version(workspace: Path) -> Path:
    return workspace / "models" / "boxes" / "1"


@pytest.fixture(scope="module")
def manifest(version: Path) -> Manifest:
    return read_manifest(version)


@pytest.fixture(scope="module")
def deployed(workspace: Path) -> Deployed:
    return load_deployed(RunFolder(workspace / "run-0"))


@pytest.fixture
def graph(version: Path) -> onnx.ModelProto:
    """The exported graph, to be spoilt."""
    return onnx.load(version / "model.onnx")


def test_exported_segmenter_is_served(workspace: Path, version: Path, manifest: Manifest) -> None:
    """The loader proves the golden pieces on it, and the manifest says what it is."""
    loaded = load_version(version, workspace / "models", Placement())

    assert loaded.golden_difference < 1e-4
    assert manifest.task == "image-segmentation"
    assert (manifest.labels, manifest.colors) == (("sky", "brick", "grass"), COLORS)
    assert manifest.graph.inputs[0].shape == (None, None, None, 3)
    shapes = {tensor.role: (tensor.dtype, tensor.shape) for tensor in manifest.graph.outputs}
    assert shapes == {
        "mask": ("uint8", (None, None, None)),
        "probabilities": ("float32", (None, 3, None, None)),
    }
    assert (version / "golden.npz").stat().st_size < 1e6


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 24), (1, 8, 200), (2, 104, 8)])
def test_any_multiple_is_taken(
    version: Path, deployed: Deployed, shape: tuple[int, int, int]
) -> None:
    """Sizes that were never traced give what the net gives, down to one multiple by one."""
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    session = open_session(version / "model.onnx", "model", ON_CPU)
    outputs = session.run({"images": images})
    with torch.inference_mode():
        mask, probabilities = (part.numpy() for part in deployed(torch.from_numpy(images)))

    assert outputs["mask"].dtype == np.uint8
    assert outputs["mask"].shape == shape
    np.testing.assert_allclose(outputs["probabilities"], probabilities, atol=1e-4)
    assert (outputs["mask"] == mask).mean() > 0.999
    assert (outputs["probabilities"].argmax(1) == outputs["mask"]).all()


@pytest.mark.parametrize("size", [(96, 128), (24, 40)])
def test_every_module_can_be_addressed(
    version: Path, manifest: Manifest, deployed: Deployed, size: tuple[int, int]
) -> None:
    """What a forward hook sees at a module is what the tap that lists it gives, at any size."""
    images = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8)
    hooked = module_outputs(deployed, images)
    taps = {path: tap for tap in manifest.graph.taps for path in tap.modules}
    names = sorted({tap.name for tap in taps.values()})
    values = run_with_taps(onnx.load(version / "model.onnx"), names, images.numpy())

    # an encoder is never called as a whole: it gives several maps, each that of a module in it
    modules = {path for path, _ in deployed.net.named_modules()} - {"", "encoder"}
    assert set(taps) == set(hooked) == modules
    for path, tap in taps.items():
        assert relative_error(values[tap.name], hooked[path].numpy()) <= 1e-5, path
        channels, *sides = tap.shape
        assert (channels, sides) == (hooked[path].shape[1], [None, None])


def test_taps_keep_stride_and_receptive_field_behind_the_upsampling(manifest: Manifest) -> None:
    """Down to an eighth and up again; what a pixel of the answer sees only grows."""
    taps = {path: tap for tap in manifest.graph.taps for path in tap.modules}
    names = ("encoder.stem", "encoder.layer3", "decoder.stride4", "decoder.stride1", "head")

    assert [taps[name].stride for name in names] == [(n, n) for n in (2, 8, 4, 1, 1)]
    fields = [taps[name].receptive_field for name in names]
    assert all(field is not None for field in fields)
    assert fields == sorted(fields)


def test_names_in_the_file_tell_what_is_before_and_behind_the_net(graph: onnx.ModelProto) -> None:
    """Normalisation is in front of the net, the choice of the class behind it."""
    outputs = {name for node in graph.graph.node for name in node.output}

    assert {"preprocess/Cast", "postprocess/ArgMax", "decoder.stride1/Concat", "mask"} <= outputs
    ends = [*graph.graph.input, *graph.graph.output]
    sizes = [
        [axis.dim_param for axis in end.type.tensor_type.shape.dim if axis.dim_param]
        for end in ends
    ]
    assert sizes == [["batch", "height", "width"]] * 3


def test_both_splits_are_measured_and_kept(workspace: Path, manifest: Manifest) -> None:
    """Test first, then the validation split that the data has of its own, each with its files."""
    run = workspace / "run-0"
    assert [(m.name, m.split, m.images) for m in manifest.metrics] == [
        ("mean IoU", "test", 4),
        ("mean IoU", "validation", 2),
    ]
    for folder, metric in zip((run, run / "validation"), manifest.metrics, strict=True):
        figures = SegmenterEvaluation.model_validate_json((folder / EVALUATION_NAME).read_bytes())
        assert (figures.split, figures.mean_iou) == (metric.split, metric.value)
        assert metric.interval[0] <= metric.value <= metric.interval[1]
        for name in ("confusion.png", "masks.png"):
            with Image.open(folder / name) as picture:
                assert min(picture.size) > 300


def test_void_is_not_among_the_counted_pixels(workspace: Path) -> None:
    """Every pixel of the test pictures is counted once, at its own size, but for the void."""
    figures = json.loads((workspace / "run-0" / EVALUATION_NAME).read_text())
    pixels = 3 * SIZE[0] * SIZE[1] + 160 * 90
    void = 3 * SIZE[0] + 160  # the first column of each

    assert np.sum(figures["confusion"]) == pixels - void
    assert sum(row["pixels"] for row in figures["classes"]) == pixels - void


def test_parity_counts_pixels(manifest: Manifest) -> None:
    """On four pictures of 96 x 128, every pixel is a decision, and the ties are told."""
    parity = manifest.parity
    assert parity is not None
    assert (parity.images, parity.decisions) == (4, 4 * SIZE[0] * SIZE[1])
    assert parity.same_argmax >= 0.999 * 4 * SIZE[0] * SIZE[1]
    assert parity.max_probability_difference <= 1e-4


def test_card_tells_the_measured_figures(version: Path, manifest: Manifest) -> None:
    """Every class on both splits, the further figures, parity in pixels, and what to beware of."""
    card = (version / "CARD.md").read_text()

    assert f"{manifest.metrics[0].value:.2%}" in card
    assert f"{manifest.metrics[1].value:.2%}" in card
    head = "| class | share (test) | IoU (test) | accuracy (test) | share (validation) |"
    assert head in card
    assert all(f"\n| {label} |" in card for label in manifest.labels)
    for told in (
        "Pixel accuracy",
        "Boundary F-score",
        "Shift consistency",
        "of 49,152 pixels",
        "which did not choose the checkpoint. The validation split of 2 pictures did",
        "any size in multiples of 8 px",
        "CC0-1.0",
    ):
        assert told in card, told


def test_sister_seeds_give_mean_and_spread_on_both_splits(workspace: Path) -> None:
    """The other seed's figures are those of its own run folder."""
    models = workspace / "published"
    invoke(
        export,
        *(workspace / "run-0", workspace / "run-1", "--name", "boxes", "--models-dir", models),
    )

    for metric in read_manifest(models / "boxes" / "1").metrics:
        folder = workspace / "run-1" / ("" if metric.split == "test" else metric.split)
        other = json.loads((folder / EVALUATION_NAME).read_text())["mean_iou"]
        assert metric.runs == 2
        assert metric.mean == pytest.approx((metric.value + other) / 2)


def test_evaluate_measures_the_exported_file(
    workspace: Path, version: Path, manifest: Manifest
) -> None:
    """The command gives the manifest's figure again, the shifts, and draws the masks."""
    out = workspace / "figures"
    result = invoke(
        evaluate,
        version,
        "--data",
        workspace / "boxes",
        "--shifts",
        "--out",
        out,
        "--split",
        "test",
    )

    assert f"mean IoU {manifest.metrics[0].value:.2%}" in result.output
    assert "moved right by 0 to 31 px: 1.0000" in result.output
    assert {file.name for file in out.iterdir()} == {
        "evaluation.json",
        "confusion.png",
        "masks.png",
    }


def proof(workspace: Path, deployed: Deployed) -> np.ndarray:
    scenes = TASKS["image-segmentation"].open(str(workspace / "boxes"))
    return JUDGES["image-segmentation"].proof(scenes.splits["test"], deployed.spec)


def save(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, folder / "spoilt.onnx")
    return folder / "spoilt.onnx"


def test_mask_that_is_not_the_likeliest_class_is_found_out(
    workspace: Path, deployed: Deployed, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    """Right probabilities do not excuse a wrong mask."""
    (choice,) = (node for node in graph.graph.node if node.op_type == "ArgMax")
    choice.op_type = "ArgMin"

    with pytest.raises(ExportError, match=r"another class than PyTorch \d+ times"):
        check_parity(save(graph, tmp_path), deployed, proof(workspace, deployed), (1, 2))


def test_ties_may_go_either_way_and_are_counted(
    workspace: Path, deployed: Deployed, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    """Two classes that are the same everywhere: the other choice is no error, but is told."""
    tied = copy.deepcopy(deployed)
    head = tied.net.get_submodule("head")
    with torch.no_grad():
        head.weight[1], head.bias[1] = head.weight[0], head.bias[0]
    for tensor in graph.graph.initializer:
        if tensor.name.startswith("head."):
            value = head.state_dict()[tensor.name.removeprefix("head.")].numpy()
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    (choice,) = (node for node in graph.graph.node if node.op_type == "ArgMax")
    (last,) = (part for part in choice.attribute if part.name == "select_last_index")
    last.i = 1
    parity = check_parity(save(graph, tmp_path), tied, proof(workspace, tied), (1,))

    assert parity.decisions is not None
    assert parity.same_argmax < parity.decisions


def test_graph_for_one_size_is_found_out(
    deployed: Deployed, graph: onnx.ModelProto, tmp_path: Path
) -> None:
    """A size that was baked into the graph fails on the next picture of another one."""
    sizes = numpy_helper.from_array(np.array([2, 16, 48, 64]), "baked")
    graph.graph.initializer.append(sizes)
    resize = next(node for node in graph.graph.node if node.op_type == "Resize")
    resize.input[:] = [resize.input[0], "", "", "baked"]

    with pytest.raises(ExportError, match="does not take 1 of 8 x 8 pixels"):
        check_sizes(save(graph, tmp_path), outputs_at_sizes(deployed))


def test_multiple_that_the_net_does_not_take_is_refused(
    workspace: Path, deployed: Deployed
) -> None:
    """The recipe must not promise sizes that the net refuses."""
    recipe = RunFolder(workspace / "run-0").recipe()
    data = recipe.data.model_copy(update={"multiple": 4})
    careless = deploy(deployed.net, recipe.model_copy(update={"data": data}))

    with pytest.raises(ExportError, match=r"any multiple of 4.*not even PyTorch takes 1 of 4 x 4"):
        outputs_at_sizes(careless)
