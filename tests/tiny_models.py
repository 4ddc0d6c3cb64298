"""A tiny model, complete with its folder, and ways to break it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from service.contract.golden import write_golden
from service.contract.manifest import (
    Color,
    FileRef,
    Golden,
    Graph,
    Manifest,
    Provenance,
    Tap,
    Task,
    Tensor,
    write_manifest,
)
from service.contract.specs import AudioPreprocessing, ImagePreprocessing

LABELS = ("red", "green", "blue")
LOUDNESSES = ("quiet", "middling", "loud")
PAUSES = ("pause", "sound")
MEASURED, UNITS = ("peak", "mean"), ("%", "‰")
SIZE = 8


def colors_graph(opset: int = 20, sharpness: float = 10) -> onnx.ModelProto:
    """Return a net that tells which of the three primary colours a picture has most of.

    images (batch, 8, 8, 3) uint8 -> probabilities (batch, 3): the mean of each channel in 0..1,
    times `sharpness`, through a softmax.
    """
    identity = np.eye(3, dtype=np.float32)[:, :, None, None]
    constants = {
        "scale": np.float32(1 / 255),
        "conv.weight": identity,
        "axes": np.array([2, 3]),
        "sharpness": np.float32(sharpness),
    }
    nodes = [
        ("Cast", ["images"], "input/Cast", {"to": TensorProto.FLOAT}),
        ("Mul", ["input/Cast", "scale"], "input/Mul", {}),
        ("Transpose", ["input/Mul"], "input/Transpose", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["input/Transpose", "conv.weight"], "conv/Conv", {}),
        ("Relu", ["conv/Conv"], "relu/Relu", {}),
        ("ReduceMean", ["relu/Relu", "axes"], "pool/ReduceMean", {"keepdims": 0}),
        ("Mul", ["pool/ReduceMean", "sharpness"], "logits", {}),
        ("Softmax", ["logits"], "probabilities", {"axis": 1}),
    ]
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs, [output], **attributes)
            for op, inputs, output, attributes in nodes
        ],
        "colors",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", opset)])


def paint_graph(blur: int = 3) -> onnx.ModelProto:
    """Return a segmenter that tells which primary colour the surroundings of a pixel have most of.

    images (batch, height, width, 3) uint8 -> mask (batch, height, width) uint8 and probabilities
    (batch, 3, height, width): the mean over `blur` x `blur` pixels, times 10, through a softmax.
    """
    weight = np.zeros((3, 3, blur, blur), np.float32)
    for channel in range(3):
        weight[channel, channel] = 10 / 255 / blur**2
    nodes = [
        ("Cast", ["images"], "input/Cast", {"to": TensorProto.FLOAT}),
        ("Transpose", ["input/Cast"], "input/Transpose", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["input/Transpose", "conv.weight"], "conv/Conv", {"pads": [blur // 2] * 4}),
        ("Softmax", ["conv/Conv"], "probabilities", {"axis": 1}),
        ("ArgMax", ["conv/Conv"], "head/ArgMax", {"axis": 1, "keepdims": 0}),
        ("Cast", ["head/ArgMax"], "mask", {"to": TensorProto.UINT8}),
    ]
    sides = ["height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node(op, inputs, [output], **attributes)
            for op, inputs, output, attributes in nodes
        ],
        "paint",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", *sides, 3])],
        [
            helper.make_tensor_value_info("mask", TensorProto.UINT8, ["batch", *sides]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3, *sides]),
        ],
        [numpy_helper.from_array(weight, "conv.weight")],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])


def write_segmenter(root: Path, name: str = "paint", blur: int = 3, **preprocessing: Any) -> Path:
    """Write a complete version folder of `paint_graph`, and return it.

    preprocessing: what is to be other than same_area of 12 x 16 pixels, in multiples of 4.
    """
    folder = root / name / "1"
    folder.mkdir(parents=True)
    model = paint_graph(blur)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "CARD.md").write_text(f"# {name}\n")
    images = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3), np.uint8)
    run = ReferenceEvaluator(model).run(None, {"images": images})
    write_golden(
        folder / "golden.npz",
        {"images": images},
        dict(zip(("mask", "probabilities"), run, strict=True)),
    )
    how = {"color": "rgb", "resize": "same_area", "height": 12, "width": 16, "multiple": 4}
    spec = ImagePreprocessing.model_validate(
        {**how, "mean": (0,) * 3, "std": (1,) * 3, **preprocessing}
    )
    tap = Tap(
        name="conv/Conv",
        modules=("conv",),
        op="Conv",
        shape=(3, None, None),
        stride=(1, 1),
        receptive_field=(blur, blur),
    )
    graph = Graph(
        file=FileRef(path="model.onnx", sha256=_digest(folder / "model.onnx")),
        opset=20,
        inputs=(Tensor(name="images", dtype="uint8", shape=(None, None, None, 3)),),
        outputs=(
            Tensor(name="mask", dtype="uint8", shape=(None,) * 3, role="mask"),
            Tensor(
                name="probabilities",
                dtype="float32",
                shape=(None, 3, None, None),
                role="probabilities",
            ),
        ),
        taps=(tap,),
    )
    colors = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    manifest = _manifest_of(folder, name, 1, spec, graph, "image-segmentation", colors)
    write_manifest(folder, manifest)
    return folder


def write_model(
    root: Path,
    name: str = "colors",
    version: int = 1,
    graph: onnx.ModelProto | None = None,
    sharpness: float = 10,
    **changes: Any,
) -> Path:
    """Write a complete version folder that keeps its promise, and return it.

    graph: another graph than `colors_graph`; what is promised stays the same.
    changes: fields of the manifest to replace, whether they are valid then or not.
    """
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    model = graph or colors_graph(sharpness=sharpness)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "CARD.md").write_text(f"# {name}\n")
    images = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    probabilities = _expected(images, sharpness)
    write_golden(folder / "golden.npz", {"images": images}, {"probabilities": probabilities})
    write_manifest(folder, _manifest(folder, name, version))
    if changes:
        change_manifest(folder, lambda manifest: manifest.update(changes))
    return folder


def loudness_graph(samples: int) -> onnx.ModelProto:
    """Return a classifier that tells by its mean amplitude how loud a window is.

    sounds (batch, samples) -> logits and probabilities (batch, 3): how near that mean is to 0.02,
    0.1 and 0.4.
    """
    levels = np.float32([[0.02, 0.1, 0.4]])
    constants = {
        "channel": np.array([1]),
        "conv.weight": np.ones((1, 1, 1), np.float32),
        "axes": np.array([1, 2]),
        "fc.weight": 400 * levels,
        "fc.bias": -200 * levels[0] ** 2,
        "column": np.array([-1, 1]),
    }
    nodes = [
        ("Unsqueeze", ["sounds", "channel"], "input/Unsqueeze", {}),
        ("Conv", ["input/Unsqueeze", "conv.weight"], "conv/Conv", {}),
        ("Abs", ["conv/Conv"], "amplitude/Abs", {}),
        ("ReduceMean", ["amplitude/Abs", "axes"], "pool/ReduceMean", {"keepdims": 0}),
        ("Reshape", ["pool/ReduceMean", "column"], "pool/Reshape", {}),
        ("Gemm", ["pool/Reshape", "fc.weight", "fc.bias"], "logits", {}),
        ("Softmax", ["logits"], "probabilities", {"axis": 1}),
    ]
    outputs = {"logits": ["batch", 3], "probabilities": ["batch", 3]}
    return _sound_graph("loudness", samples, nodes, outputs, constants)


def pauses_graph(samples: int, sees: int, step: int) -> onnx.ModelProto:
    """Return a segmenter that tells pauses, 0, from sound, 1, by the mean amplitude over `sees`.

    sounds (batch, samples) -> mask (batch, T) uint8 and probabilities (batch, 2, T), a frame every
    `step` samples.
    """
    constants = {
        "channel": np.array([1]),
        "envelope.weight": np.full((1, 1, sees), 1 / sees, np.float32),
        "threshold": np.float32(0.02),
    }
    nodes = [
        ("Unsqueeze", ["sounds", "channel"], "input/Unsqueeze", {}),
        ("Abs", ["input/Unsqueeze"], "amplitude/Abs", {}),
        ("Conv", ["amplitude/Abs", "envelope.weight"], "envelope/Conv", {"strides": [step]}),
        ("Sub", ["envelope/Conv", "threshold"], "loud/Sub", {}),
        ("Neg", ["loud/Sub"], "quiet/Neg", {}),
        ("Concat", ["quiet/Neg", "loud/Sub"], "head/Concat", {"axis": 1}),
        ("Softmax", ["head/Concat"], "probabilities", {"axis": 1}),
        ("ArgMax", ["head/Concat"], "head/ArgMax", {"axis": 1, "keepdims": 0}),
        ("Cast", ["head/ArgMax"], "mask", {"to": TensorProto.UINT8}),
    ]
    frames = (samples - sees) // step + 1
    outputs = {"mask": ["batch", frames], "probabilities": ["batch", 2, frames]}
    return _sound_graph("pauses", samples, nodes, outputs, constants)


def meter_graph(samples: int) -> onnx.ModelProto:
    """Return a net that measures the largest sample of a window and the mean distance from zero.

    sounds (batch, samples) -> values (batch, 2): in percent of full scale, and per mille.
    """
    constants = {"axis": np.array([1]), "units": np.float32([100, 1000])}
    nodes = [
        ("ReduceMax", ["sounds", "axis"], "peak/ReduceMax", {"keepdims": 1}),
        ("Abs", ["sounds"], "rectify/Abs", {}),
        ("ReduceMean", ["rectify/Abs", "axis"], "mean/ReduceMean", {"keepdims": 1}),
        ("Concat", ["peak/ReduceMax", "mean/ReduceMean"], "head/Concat", {"axis": 1}),
        ("Mul", ["head/Concat", "units"], "values", {}),
    ]
    return _sound_graph("meter", samples, nodes, {"values": ["batch", 2]}, constants)


def write_listener(root: Path, name: str = "loudness", **preprocessing: Any) -> Path:
    """Write a complete version folder of `loudness_graph`, and return it.

    preprocessing: what is to be other than windows of 0.5 s at 8000 Hz that overlap by half.
    """
    how = {"sample_rate_hz": 8000, "window_samples": 4000, "hop_samples": 2000, **preprocessing}
    spec = AudioPreprocessing.model_validate(how)
    roles: tuple[Literal["logits", "probabilities"], ...] = ("logits", "probabilities")
    outputs = tuple(Tensor(name=r, dtype="float32", shape=(None, 3), role=r) for r in roles)
    tap = Tap(
        name="conv/Conv",
        modules=("conv",),
        op="Conv",
        shape=(1, spec.window_samples),
        stride=(1, 1),
        receptive_field=(1, 1),
    )
    model = loudness_graph(spec.window_samples)
    task: Task = "audio-classification"
    return _write_sound_model(root / name / "1", model, spec, outputs, (tap,), task, LOUDNESSES)


def write_spans(root: Path, name: str = "pauses", sees: int = 400, step: int = 200) -> Path:
    """Write a complete version folder of `pauses_graph`, and return it: 20 frames a window."""
    spec = AudioPreprocessing(
        sample_rate_hz=8000,
        window_samples=19 * step + sees,
        hop_samples=20 * step,
        tail="zeros",
    )
    outputs = (
        Tensor(name="mask", dtype="uint8", shape=(None, 20), role="mask"),
        Tensor(name="probabilities", dtype="float32", shape=(None, 2, 20), role="probabilities"),
    )
    tap = Tap(
        name="envelope/Conv",
        modules=("envelope",),
        op="Conv",
        shape=(1, 20),
        stride=(1, step),
        receptive_field=(1, sees),
    )
    model = pauses_graph(spec.window_samples, sees, step)
    task: Task = "audio-segmentation"
    return _write_sound_model(root / name / "1", model, spec, outputs, (tap,), task, PAUSES)


def write_measurer(root: Path, name: str = "meter") -> Path:
    """Write a complete version folder of `meter_graph`, and return it.

    Windows are of 0.5 s at 8000 Hz and overlap by half.
    """
    spec = AudioPreprocessing(sample_rate_hz=8000, window_samples=4000, hop_samples=2000)
    outputs = (Tensor(name="values", dtype="float32", shape=(None, 2), role="values"),)
    task: Task = "audio-regression"
    return _write_sound_model(
        root / name / "1", meter_graph(4000), spec, outputs, (), task, MEASURED, UNITS
    )


def _sound_graph(
    name: str,
    samples: int,
    nodes: list[tuple[str, list[str], str, dict[str, Any]]],
    outputs: dict[str, list[Any]],
    constants: dict[str, Any],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(op, inputs, [output], **how) for op, inputs, output, how in nodes],
        name,
        [helper.make_tensor_value_info("sounds", TensorProto.FLOAT, ["batch", samples])],
        [
            helper.make_tensor_value_info(
                output, TensorProto.UINT8 if output == "mask" else TensorProto.FLOAT, shape
            )
            for output, shape in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])


def _write_sound_model(
    folder: Path,
    model: onnx.ModelProto,
    spec: AudioPreprocessing,
    outputs: tuple[Tensor, ...],
    taps: tuple[Tap, ...],
    task: Task,
    labels: tuple[str, ...],
    units: tuple[str, ...] = (),
) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "CARD.md").write_text(f"# {folder.parent.name}\n")
    sounds = np.random.default_rng(0).normal(0, 0.1, (2, spec.window_samples)).astype(np.float32)
    run = ReferenceEvaluator(model).run(None, {"sounds": sounds})
    golden = dict(zip((tensor.name for tensor in outputs), run, strict=True))
    write_golden(folder / "golden.npz", {"sounds": sounds}, golden)
    graph = Graph(
        file=FileRef(path="model.onnx", sha256=_digest(folder / "model.onnx")),
        opset=20,
        inputs=(Tensor(name="sounds", dtype="float32", shape=spec.input_shape),),
        outputs=outputs,
        taps=taps,
    )
    name, version = folder.parent.name, int(folder.name)
    manifest = _manifest_of(folder, name, version, spec, graph, task, labels=labels, units=units)
    write_manifest(folder, manifest)
    return folder


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Apply `change` to the JSON of the manifest, past all validation."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    change(manifest)
    file.write_text(json.dumps(manifest))


def sign(folder: Path) -> None:
    """Bring the manifest's digests up to date after files were changed."""

    def update(manifest: dict[str, Any]) -> None:
        graphs = manifest["graphs"]
        parts = [part["file"] for part in (manifest["golden"], *graphs)]
        for file in (*parts, *(file for graph in graphs for file in graph["external"])):
            file["sha256"] = _digest(folder / file["path"])

    change_manifest(folder, update)


def move_weights_out(
    folder: Path, location: str = "weights.bin", listed: tuple[str, ...] = ("weights.bin",)
) -> None:
    """Put the weights of the convolution into `weights.bin`, and list that in the manifest.

    location: where the graph says that they lie.
    listed: files that the manifest lists.
    """
    model = onnx.load(folder / "model.onnx")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "conv.weight")
    # not at the start, so that an offset that is forgotten is noticed
    (folder / "weights.bin").write_bytes(bytes(64) + weight.raw_data)
    entries = {"location": location, "offset": "64", "length": str(len(weight.raw_data))}
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        weight.external_data.add(key=key, value=value)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    external = [{"path": name, "sha256": "0" * 64} for name in listed]
    change_manifest(folder, lambda manifest: manifest["graphs"][0].update(external=external))
    sign(folder)


def _expected(images: np.ndarray, sharpness: float) -> np.ndarray:
    logits = images.astype(np.float64).mean(axis=(1, 2)) / 255 * sharpness  # (N, 3)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)


def _manifest(folder: Path, name: str, version: int) -> Manifest:
    def tap(name: str, op: str) -> Tap:
        return Tap(
            name=f"{name}/{op}",
            modules=(name,),
            op=op,
            shape=(3, SIZE, SIZE),
            stride=(1, 1),
            receptive_field=(1, 1),
        )

    spec = ImagePreprocessing(
        color="rgb", resize="squash", height=SIZE, width=SIZE, mean=(0,) * 3, std=(1,) * 3
    )
    graph = Graph(
        file=FileRef(path="model.onnx", sha256=_digest(folder / "model.onnx")),
        opset=20,
        inputs=(Tensor(name="images", dtype="uint8", shape=(None, SIZE, SIZE, 3)),),
        outputs=(
            Tensor(name="probabilities", dtype="float32", shape=(None, 3), role="probabilities"),
        ),
        taps=(tap("conv", "Conv"), tap("relu", "Relu")),
    )
    return _manifest_of(folder, name, version, spec, graph)


def _manifest_of(
    folder: Path,
    name: str,
    version: int,
    spec: ImagePreprocessing | AudioPreprocessing,
    graph: Graph,
    task: Task = "image-classification",
    colors: tuple[Color, ...] = (),
    labels: tuple[str, ...] = LABELS,
    units: tuple[str, ...] = (),
) -> Manifest:
    return Manifest(
        name=name,
        version=version,
        task=task,
        colors=colors,
        description="Tells a few things apart.",
        preprocessing=spec,
        graphs=(graph,),
        labels=labels,
        units=units,
        golden=Golden(
            file=FileRef(path="golden.npz", sha256=_digest(folder / "golden.npz")), atol=1e-5
        ),
        provenance=Provenance(
            recipe="none", dataset="none", seed=0, created="2026-11-21", versions={}
        ),
        license="MIT",
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
