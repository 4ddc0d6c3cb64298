"""The manifest: what a model version promises, as one JSON file beside its graph.

Training writes it, the service obeys it. A version is a folder
`models/<name>/<version>/` with `manifest.json`, the graph files it lists,
`golden.npz` and `CARD.md`.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from service.contract.errors import InvalidModel

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
CARD_NAME = "CARD.md"
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Task = Literal["image-classification"]
Dtype = Literal["uint8", "float32"]
# None stands for a dynamic axis, such as the batch.
Shape = tuple[Annotated[int, Field(ge=1)] | None, ...]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Pair = tuple[int, int]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRef(_Part):
    """A file of the version folder and the digest that it must have."""

    path: str
    sha256: Sha256

    @field_validator("path")
    @classmethod
    def _is_a_plain_file_name(cls, path: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path):
            raise ValueError(f"{path!r} must be a plain file name inside the version folder")
        return path


class Tensor(_Part):
    """A graph input or output; the first axis is the batch.

    role: what an output means; `None` for inputs.
    """

    name: str
    dtype: Dtype
    shape: Shape
    role: Literal["probabilities", "logits"] | None = None


class Tap(_Part):
    """A tensor inside the graph that can be looked at.

    name: the tensor's name in the graph, `module.path/Op`.
    modules: paths of the modules whose output this tensor is, outermost first.
    shape: without the batch: (C, H, W), (C, L) or (C,).
    stride: input pixels per cell, (vertical, horizontal); None where cells have no place.
    receptive_field: input pixels that one cell can see, (vertical, horizontal).
    """

    name: str
    modules: tuple[str, ...]
    op: str
    shape: Shape
    stride: Pair | None
    receptive_field: Pair | None


class Graph(_Part):
    """One ONNX file of the version.

    role: the part it plays; most versions have a single `model`.
    precision: of its weights, so that a quantised twin can stand beside its original.
    external: every file in which weights of this graph lie, by the name that the graph
        calls it; a graph that names another is refused.
    """

    role: Literal["model"] = "model"
    precision: Literal["float32"] = "float32"
    file: FileRef
    external: tuple[FileRef, ...] = ()
    opset: Annotated[int, Field(ge=7)]
    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Tensor, ...], Field(min_length=1)]
    taps: tuple[Tap, ...] = ()

    def output_of_role(self, role: str) -> Tensor | None:
        """Return the output with that role, or None."""
        return next((tensor for tensor in self.outputs if tensor.role == role), None)


class ImagePreprocessing(_Part):
    """From a decoded picture (H, W, 3) uint8 to one model input (height, width, C) uint8.

    color: `rgb` gives C = 3, `gray` C = 1.
    resize: `squash` ignores the aspect ratio; `shortest_side_center_crop` cuts
        the middle out; `letterbox` keeps everything and pads with `pad_value`.
    crop_fraction: for `shortest_side_center_crop`, the share of the shorter side that is kept.
    mean, std: the normalisation done inside the graph, in units of 0..1, one per channel.
    """

    kind: Literal["image"] = "image"
    color: Literal["rgb", "gray"]
    resize: Literal["squash", "shortest_side_center_crop", "letterbox"]
    height: Annotated[int, Field(ge=1, le=8192)]
    width: Annotated[int, Field(ge=1, le=8192)]
    crop_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    pad_value: Annotated[int, Field(ge=0, le=255)] = 0
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """Channels of the model input: 3 for `rgb`, 1 for `gray`."""
        return 3 if self.color == "rgb" else 1


class Golden(_Part):
    """Inputs and PyTorch's outputs for them: `input.<name>` and `output.<name>` arrays.

    atol, rtol: |ours - golden| <= atol + rtol * |golden| must hold everywhere.
    """

    file: FileRef
    atol: Annotated[float, Field(gt=0)] = 1e-4
    rtol: Annotated[float, Field(ge=0)] = 1e-3


class Metric(_Part):
    """One measured figure, with what is needed to judge it.

    value: the bundled model's own figure.
    images: size of the split.
    interval: 95 % Wilson interval of `value` over the split's images.
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


class Parity(_Part):
    """How PyTorch and ONNX Runtime agreed on real inputs when the model was exported."""

    images: Annotated[int, Field(ge=1)]
    batch_sizes: tuple[int, ...]
    same_argmax: Annotated[int, Field(ge=0)]
    max_probability_difference: Annotated[float, Field(ge=0)]


class Provenance(_Part):
    """Where the model comes from, so that it can be made again.

    recipe_sha256: of the recipe's text as the training followed it.
    """

    recipe: str
    recipe_sha256: Sha256 | None = None
    dataset: str
    seed: int
    created: str
    training_minutes: float | None = None
    versions: dict[str, str]


class Manifest(_Part):
    """Everything that a server and its users may rely on for one model version."""

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=f"^{MODEL_NAME.pattern}$")]
    version: Annotated[int, Field(ge=1)]
    task: Task
    description: str
    preprocessing: ImagePreprocessing
    graphs: Annotated[tuple[Graph, ...], Field(min_length=1)]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
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
        probabilities = self.graph.output_of_role("probabilities")
        if probabilities is None:
            raise ValueError("an image classifier needs an output with the role 'probabilities'")
        if len(probabilities.shape) != 2 or probabilities.shape[1] != len(self.labels):
            raise ValueError(
                f"labels: {len(self.labels)} labels do not match the output "
                f"{probabilities.name!r} of shape {_spell(probabilities.shape)}"
            )
        spec = self.preprocessing
        wanted: Shape = (None, spec.height, spec.width, spec.channels)
        images = self.graph.inputs[0]
        if images.dtype != "uint8" or images.shape[1:] != wanted[1:]:
            raise ValueError(
                f"preprocessing makes uint8 {_spell(wanted)}, but the input {images.name!r} "
                f"takes {images.dtype} {_spell(images.shape)}"
            )
        return self


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
    return "(" + ", ".join("batch" if size is None else str(size) for size in shape) + ")"
