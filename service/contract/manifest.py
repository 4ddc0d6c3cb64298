"""The manifest: what a model version promises, as one JSON file beside its graph.

Training writes it, the service obeys it. A version is a folder
`models/<name>/<version>/` with `manifest.json`, the graph files it lists,
`golden.npz` and `CARD.md`.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from service.contract.errors import InvalidModel
from service.contract.specs import (
    FREE_SIZE,
    AudioPreprocessing,
    Byte,
    ImagePreprocessing,
    Pair,
    Part,
    Shape,
)

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
CARD_NAME = "CARD.md"
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Task = Literal[
    "image-classification",
    "image-segmentation",
    "audio-classification",
    "audio-segmentation",
    "audio-regression",
]
MOST_CLASSES_OF_A_MASK = 255  # a mask is uint8, and 255 stands for "void" in data sets
Dtype = Literal["uint8", "float32"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Color = tuple[Byte, Byte, Byte]


class FileRef(Part):
    """A file of the version folder and the digest that it must have."""

    path: str
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _is_a_plain_file_name(cls, path: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path):
            raise ValueError(f"{path!r} must be a plain file name inside the version folder")
        return path


class Tensor(Part):
    """A graph input or output; the first axis is the batch.

    role: what an output means; `None` for inputs. A `mask` is (N, H, W), the index of the
        likeliest class at every pixel; the `probabilities` of a segmenter are (N, C, H, W).
        Of a segmenter of sounds they are (N, T) and (N, C, T): a frame every hop_samples / T.
        The `values` of a model that measures are (N, K), a column a quantity, in its unit.
    """

    name: str
    dtype: Dtype
    shape: Shape
    role: Literal["probabilities", "logits", "mask", "values"] | None = None


class Tap(Part):
    """A tensor inside the graph that can be looked at.

    name: the tensor's name in the graph, `module.path/Op`.
    modules: paths of the modules whose output this tensor is, outermost first.
    shape: without the batch: (C, H, W), (C, L) or (C,); None for a size that follows the input's.
    stride: input pixels per cell, (vertical, horizontal); None where cells have no place.
    receptive_field: input pixels that one cell can see, (vertical, horizontal).
    For sounds, horizontal is along the time, in samples, and vertical across the bands of the
    first spectrogram; 1 where there is none.
    """

    name: str
    modules: tuple[str, ...]
    op: str
    shape: Shape
    stride: Pair | None
    receptive_field: Pair | None


class Graph(Part):
    """One ONNX file of the version.

    role: the part it plays; most versions have a single `model`.
    precision: of its weights, or of most, so that a quantised twin can stand beside its original.
    external: every file in which weights of this graph lie, by the name that the graph
        calls it; a graph that names another is refused.
    """

    role: Literal["model"] = "model"
    precision: Literal["float32", "float16", "int8"] = "float32"
    file: FileRef
    external: tuple[FileRef, ...] = ()
    opset: Annotated[int, Field(ge=7)]
    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    taps: tuple[Tap, ...] = ()

    def output_of_role(self, role: str) -> Tensor | None:
        """Return the output with that role, or None."""
        return next((tensor for tensor in self.outputs if tensor.role == role), None)


class Golden(Part):
    """Inputs and the right outputs for them: `input.<name>` and `output.<name>` arrays.

    of: who gave the outputs: PyTorch, for a net that was `trained` here; or the `original` file,
        run by ONNX Runtime on the CPU, for one that was made by others.
    atol, rtol: |ours - golden| <= atol + rtol * |golden| must hold everywhere, but in a mask,
        where one pixel in a thousand may differ: at a tie the last bit decides.
    """

    file: FileRef
    of: Literal["trained", "original"] = "trained"
    atol: Annotated[float, Field(gt=0)] = 1e-4
    rtol: Annotated[float, Field(ge=0)] = 1e-3


class Metric(Part):
    """One measured figure, with what is needed to judge it.

    value: the bundled model's own figure.
    images: size of the split.
    interval: 95 % interval of `value` over the split's images: Wilson's for an accuracy, by
        bootstrap over images for a mean intersection over union.
    runs: trainings with different seeds of the same recipe, this one included.
    mean, spread: over those runs; spread is the sample standard deviation.
    """

    name: str
    dataset: str
    split: str
    value: float
    images: Annotated[int, Field(ge=1)]
    interval: tuple[float, float]
    runs: Annotated[int, Field(ge=1)] = 1
    mean: float | None = None
    spread: float | None = None


class Parity(Part):
    """How PyTorch and ONNX Runtime agreed on real inputs when the model was exported.

    decisions: how often a class was chosen, and `same_argmax` how often it was the same one;
        None for one an image, a segmenter chooses at every pixel.
    max_value_difference: of a model that measures, as a share of the value; it chooses nothing and
        has no probabilities, so that the three others are None.
    """

    images: Annotated[int, Field(ge=1)]
    decisions: Annotated[int, Field(ge=1)] | None = None
    batch_sizes: tuple[int, ...]
    same_argmax: Annotated[int, Field(ge=0)] | None = None
    max_probability_difference: Annotated[float, Field(ge=0)] | None = None
    max_value_difference: Annotated[float, Field(ge=0)] | None = None


class Original(Part):
    """A file that others made, from which a version was made; its name is without a folder."""

    name: str
    sha256: Sha256


class Provenance(Part):
    """Where the model comes from, so that it can be made again.

    recipe, dataset, seed: None for a model that was not trained here; it has an `original`.
    recipe_sha256: of the recipe's text as the training followed it.
    """

    recipe: str | None = None
    recipe_sha256: Sha256 | None = None
    dataset: str | None = None
    seed: int | None = None
    original: Original | None = None
    created: str
    training_minutes: float | None = None
    versions: dict[str, str]

    @model_validator(mode="after")
    def _has_an_origin(self) -> "Provenance":
        if self.original is None and None in (self.recipe, self.dataset, self.seed):
            raise ValueError("recipe, dataset and seed are needed, or the original file")
        return self


class Manifest(Part):
    """Everything that a server and its users may rely on for one model version.

    labels: the classes, or the quantities that are measured.
    colors: (red, green, blue) of each class in the pictures of a segmenter; none for others.
    units: of each quantity that is measured; none for models with classes.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=f"^{MODEL_NAME.pattern}$")]
    version: Annotated[int, Field(ge=1)]
    task: Task
    description: str
    preprocessing: Annotated[ImagePreprocessing | AudioPreprocessing, Field(discriminator="kind")]
    graphs: Annotated[tuple[Graph, ...], Field(min_length=1)]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    colors: tuple[Color, ...] = ()
    units: tuple[str, ...] = ()
    golden: Golden
    metrics: tuple[Metric, ...] = ()
    parity: Parity | None = None
    provenance: Provenance
    license: str

    @property
    def graph(self) -> Graph:
        """The graph that answers requests."""
        return self.graphs[0]

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Manifest":
        identities = [(graph.role, graph.precision) for graph in self.graphs]
        if len(set(identities)) != len(identities):
            raise ValueError("two graphs have the same role and precision")
        _CHECKS[self.task](self)
        self._check_input()
        return self

    def _check_input(self) -> None:
        spec, given = self.preprocessing, self.graph.inputs[0]
        dtype = "uint8" if isinstance(spec, ImagePreprocessing) else "float32"
        if given.dtype != dtype or given.shape[1:] != spec.input_shape[1:]:
            raise ValueError(
                f"preprocessing makes {dtype} {_spell(spec.input_shape)}, but the input "
                f"{given.name!r} takes {given.dtype} {_spell(given.shape)}"
            )


def _check_image_classifier(manifest: Manifest) -> None:
    _check_probabilities(manifest)
    if image_spec(manifest).resize in FREE_SIZE:
        raise ValueError("an image classifier takes pictures of one size: resize must make it")


def _check_audio_classifier(manifest: Manifest) -> None:
    audio_spec(manifest)
    _check_probabilities(manifest)
    logits = manifest.graph.output_of_role("logits")
    if logits is None or len(logits.shape) != 2 or logits.shape[1] != len(manifest.labels):
        raise ValueError(
            "a classifier of sounds needs an output with the role 'logits' for each label: their "
            "mean over the windows is the answer for the whole"
        )


def _check_probabilities(manifest: Manifest) -> None:
    probabilities = manifest.graph.output_of_role("probabilities")
    if probabilities is None:
        raise ValueError("a classifier needs an output with the role 'probabilities'")
    if len(probabilities.shape) != 2 or probabilities.shape[1] != len(manifest.labels):
        raise _labels_differ(manifest.labels, probabilities)


def _check_audio_segmenter(manifest: Manifest) -> None:
    spec = audio_spec(manifest)
    mask = manifest.graph.output_of_role("mask")
    probabilities = manifest.graph.output_of_role("probabilities")
    if mask is None or probabilities is None:
        raise ValueError("a segmenter needs outputs with the roles 'mask' and 'probabilities'")
    if mask.dtype != "uint8" or len(mask.shape) != 2 or mask.shape[1] is None:
        raise ValueError(f"the mask must be uint8 (N, T), not {_spell(mask.shape)}")
    if probabilities.shape[1:] != (len(manifest.labels), mask.shape[1]):
        raise _labels_differ(manifest.labels, probabilities)
    if spec.hop_samples % mask.shape[1]:
        raise ValueError(
            f"{mask.shape[1]} frames a window do not divide its hop of {spec.hop_samples} samples"
        )
    if spec.tail != "zeros":
        raise ValueError("a segmenter of sounds keeps its windows in place: tail must be 'zeros'")


def _check_audio_regressor(manifest: Manifest) -> None:
    audio_spec(manifest)
    values = manifest.graph.output_of_role("values")
    if values is None or values.dtype != "float32":
        raise ValueError("a model that measures needs a float32 output with the role 'values'")
    if len(values.shape) != 2 or values.shape[1] != len(manifest.labels):
        raise _labels_differ(manifest.labels, values)
    if len(manifest.units) != len(manifest.labels):
        raise ValueError(f"{len(manifest.units)} units for {len(manifest.labels)} labels")


def _check_image_segmenter(manifest: Manifest) -> None:
    mask = manifest.graph.output_of_role("mask")
    probabilities = manifest.graph.output_of_role("probabilities")
    if mask is None or probabilities is None:
        raise ValueError("a segmenter needs outputs with the roles 'mask' and 'probabilities'")
    if mask.dtype != "uint8" or len(mask.shape) != 3:
        raise ValueError(f"the mask must be uint8 (N, H, W), not {_spell(mask.shape)}")
    if len(probabilities.shape) != 4 or probabilities.shape[1] != len(manifest.labels):
        raise _labels_differ(manifest.labels, probabilities)
    if len(manifest.labels) > MOST_CLASSES_OF_A_MASK:
        raise ValueError(f"a mask holds at most {MOST_CLASSES_OF_A_MASK} classes")
    if len(manifest.colors) != len(manifest.labels):
        raise ValueError(f"{len(manifest.colors)} colors for {len(manifest.labels)} labels")
    if image_spec(manifest).resize == "shortest_side_center_crop":
        raise ValueError("a segmenter must see the whole picture: resize must not crop")


_CHECKS: dict[Task, Callable[[Manifest], None]] = {
    "image-classification": _check_image_classifier,
    "image-segmentation": _check_image_segmenter,
    "audio-classification": _check_audio_classifier,
    "audio-segmentation": _check_audio_segmenter,
    "audio-regression": _check_audio_regressor,
}


def image_spec(manifest: Manifest) -> ImagePreprocessing:
    """Return the preprocessing of a model for pictures; raises ValueError for another."""
    if isinstance(manifest.preprocessing, ImagePreprocessing):
        return manifest.preprocessing
    raise ValueError(f"{manifest.task} needs preprocessing of the kind 'image'")


def audio_spec(manifest: Manifest) -> AudioPreprocessing:
    """Return the preprocessing of a model for sounds; raises ValueError for another."""
    if isinstance(manifest.preprocessing, AudioPreprocessing):
        return manifest.preprocessing
    raise ValueError(f"{manifest.task} needs preprocessing of the kind 'audio'")


def _labels_differ(labels: tuple[str, ...], output: Tensor) -> ValueError:
    return ValueError(
        f"labels: {len(labels)} labels do not match the output "
        f"{output.name!r} of shape {_spell(output.shape)}"
    )


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of the version folder `models/<name>/<version>/`.

    Raises: InvalidModel if the file is missing, is no valid manifest, or names
        another model or version than its folder does.
    """
    file = f"{folder.parent.name}/{folder.name}/{MANIFEST_NAME}"
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
    except OSError as error:
        raise InvalidModel(file, f"cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise InvalidModel(file, _first_problem(error)) from error
    if (manifest.name, str(manifest.version)) != (folder.parent.name, folder.name):
        raise InvalidModel(
            file,
            f"is for {manifest.name}/{manifest.version}, not for the folder it lies in",
        )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` into the version folder, readable by people too."""
    (folder / MANIFEST_NAME).write_text(manifest.model_dump_json(indent=1) + "\n")


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=True)[0]
    place = ".".join(str(step) for step in first["loc"]) or "the whole"
    given = (
        "" if first["type"] in {"missing", "value_error"} else f" (found {first['input']!r:.80})"
    )
    more = error.error_count() - 1
    return f"{place}: {first['msg']}{given}" + (f" (and {more} more)" if more else "")


def _spell(shape: Shape) -> str:
    batch, *rest = shape
    sizes = ["any" if size is None else str(size) for size in rest]
    return "(" + ", ".join(["batch" if batch is None else str(batch), *sizes]) + ")"
