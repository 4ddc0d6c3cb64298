"""GET v2 and v2/models: who serves, which models there are, and what they take and give."""

from typing import Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel

from service.api.oip.asked import Version, find
from service.api.state import PROBLEMS, CurrentState, State
from service.contract.errors import ModelNotReady
from service.tasks.catalog import ServedModel
from service.tasks.tensor_specs import TensorSpec
from service.version import VERSION

router = APIRouter(responses=PROBLEMS, tags=["Open Inference Protocol"])

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)


class ServerMetadata(BaseModel):
    """The server and the parts of the protocol that are not in its core."""

    name: str
    version: str
    extensions: tuple[str, ...]


class ModelNames(BaseModel):
    """All models, by name, those too of which no version is ready."""

    models: list[str]


class TensorMetadata(BaseModel):
    """A tensor of the graph; -1 stands for an axis of any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(BaseModel):
    """What a version takes and gives.

    versions: those that are ready. parameters: what else clients need to know, as text.
    """

    name: str
    versions: list[str]
    platform: Literal["onnx_onnxv1"] = "onnx_onnxv1"
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str]


class ModelReady(BaseModel):
    """The version answers."""

    name: str
    ready: Literal[True] = True


@router.get("/v2")
@router.get("/v2/", include_in_schema=False)
async def server_metadata() -> ServerMetadata:
    """Name the server and the extensions of the protocol that it has."""
    return ServerMetadata(name="convscope", version=VERSION, extensions=EXTENSIONS)


@router.get("/v2/models")
async def model_names(state: CurrentState) -> ModelNames:
    """List the models."""
    return ModelNames(models=state.catalog.names)


@router.get("/v2/models/{name}")
async def model_metadata(name: str, state: CurrentState) -> ModelMetadata:
    """Describe the tensors of the deployed graph, its labels and its preprocessing."""
    return _metadata(find(state.catalog, name), state)


@router.get("/v2/models/{name}/versions/{version}")
async def version_metadata(name: str, version: Version, state: CurrentState) -> ModelMetadata:
    """Describe the tensors, labels and preprocessing of one version."""
    return _metadata(find(state.catalog, name, version), state)


@router.get("/v2/models/{name}/ready")
async def model_ready(name: str, state: CurrentState) -> ModelReady:
    """Answer 200 if a version of the model may be asked, else 503 and why not."""
    return _ready(find(state.catalog, name), state)


@router.get("/v2/models/{name}/versions/{version}/ready")
async def version_ready(name: str, version: Version, state: CurrentState) -> ModelReady:
    """Answer 200 if that version may be asked, else 503 and why not."""
    return _ready(find(state.catalog, name, version), state)


def parameters_of(model: ServedModel) -> dict[str, str]:
    """Return what else clients need to know; the protocol allows text, so lists are JSON."""
    manifest = model.manifest
    told = {
        "task": manifest.task,
        "labels": _json(manifest.labels),
        "units": _json(manifest.units),
        "preprocessing": _json(manifest.preprocessing.model_dump()),
        "execution_provider": model.execution_provider,
    }
    return told if manifest.units else {key: told[key] for key in told if key != "units"}


def _metadata(model: ServedModel, state: State) -> ModelMetadata:
    name = model.manifest.name
    return ModelMetadata(
        name=name,
        versions=[str(ready.manifest.version) for ready in state.catalog.versions(name)],
        inputs=list(map(_tensor, model.tensors.inputs)),
        outputs=list(map(_tensor, model.tensors.outputs)),
        parameters=parameters_of(model),
    )


def _ready(model: ServedModel, state: State) -> ModelReady:
    if state.condition.obstacle:
        raise ModelNotReady(state.condition.obstacle)
    return ModelReady(name=model.manifest.name)


def _tensor(spec: TensorSpec) -> TensorMetadata:
    return TensorMetadata(**spec._asdict())


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
