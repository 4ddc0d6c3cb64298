"""Explanations of small graphs, without a server around them."""

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
import onnx

from service.contract.manifest import (
    FileRef,
    Golden,
    Graph,
    Manifest,
    Provenance,
    Tap,
    Task,
    Tensor,
)
from service.contract.specs import ImagePreprocessing
from service.graph.layers import describe_layers
from service.tasks.features import FeatureMaps
from service.tasks.reasons.explain import Reasons
from service.tasks.reasons.question import Explanation, Question, Subject
from tests.onnx_graphs import OPSET, open_session

T = TypeVar("T")
_NO_FILE = FileRef(path="none", sha256="0" * 64)


def finished(steps: Generator[None, None, T]) -> T:
    """Take all steps and return what comes of them."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def reasons_of(
    model: onnx.ModelProto, classes: int, task: Task = "image-classification"
) -> Reasons:
    """Return the explanations of a graph from `images` to `probabilities`."""
    sizes = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    height, width, channels = sizes
    taps = tuple(
        Tap(
            name=layer.name,
            modules=(),
            op=layer.op,
            shape=layer.shape,
            stride=layer.jump,
            receptive_field=layer.receptive_field,
        )
        for layer in describe_layers(model).layers
    )
    picture: tuple[Any, ...] = (None, height, width, channels)
    per_pixel = () if task == "image-classification" else (height, width)
    graph = Graph(
        file=_NO_FILE,
        opset=OPSET,
        inputs=(Tensor(name="images", dtype="uint8", shape=picture),),
        outputs=(
            Tensor(
                name="probabilities",
                dtype="float32",
                shape=(None, classes, *per_pixel),
                role="probabilities",
            ),
            *_mask(task, per_pixel),
        ),
        taps=taps,
    )
    manifest = Manifest(
        name="net",
        version=1,
        task=task,
        description="A net.",
        preprocessing=ImagePreprocessing(
            color="rgb", resize="squash", height=height, width=width, mean=(0,) * 3, std=(1,) * 3
        ),
        graphs=(graph,),
        labels=tuple(f"class {i}" for i in range(classes)),
        colors=((0, 0, 0),) * classes if per_pixel else (),
        golden=Golden(file=_NO_FILE),
        provenance=Provenance(recipe="", dataset="", seed=0, created="2026-11-21", versions={}),
        license="MIT",
    )
    session = open_session(model.SerializeToString())
    features = FeatureMaps(lambda: model, graph, open_session, 4, (height, width))

    def run(batch: np.ndarray) -> np.ndarray:
        return session({"images": batch})["probabilities"]

    return Reasons(lambda: model, manifest, features, open_session, run)


def explained(reasons: Reasons, image: np.ndarray, **asked: Any) -> Explanation:
    """Return the explanation of an image (H, W, 3); black stands for nothing."""
    subject = Subject(image, np.zeros(3, np.float32), place=asked.pop("place", None))
    return finished(reasons.explain(Question(**asked), subject))


def _mask(task: Task, per_pixel: tuple[int, ...]) -> tuple[Tensor, ...]:
    if task == "image-classification":
        return ()
    return (Tensor(name="mask", dtype="uint8", shape=(None, *per_pixel), role="mask"),)
