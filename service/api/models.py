"""GET models: what is served, and what is not and why."""

from fastapi import APIRouter

from service.api.schemas import (
    InputInfo,
    ModelInfo,
    ModelList,
    ReadyVersion,
    RefusedVersion,
    UnloadedVersion,
)
from service.api.state import PROBLEMS, CurrentState
from service.contract.refusal import Refusal
from service.tasks.catalog import Catalog, ServedModel, Unloaded

router = APIRouter(responses=PROBLEMS, tags=["Models"])


@router.get("/v1/models")
async def list_models(state: CurrentState) -> ModelList:
    """List all models with all their versions."""
    return ModelList(models=[describe(name, state.catalog) for name in state.catalog.names])


@router.get("/v1/models/{name}")
async def get_model(name: str, state: CurrentState) -> ModelInfo:
    """Describe one model: its versions, labels, input, preprocessing and measured figures."""
    return describe(name, state.catalog)


def describe(name: str, catalog: Catalog) -> ModelInfo:
    """Return all there is to tell of a model; raises UnknownModel."""
    ready = catalog.versions(name)
    return ModelInfo(
        name=name,
        served_version=ready[-1].manifest.version if ready else None,
        versions=[
            *map(_ready, ready),
            *map(_refused, catalog.refused(name)),
            *map(_unloaded, catalog.unloaded(name)),
        ],
    )


def _ready(model: ServedModel) -> ReadyVersion:
    manifest = model.manifest
    images = manifest.graph.inputs[0]
    return ReadyVersion(
        version=manifest.version,
        task=manifest.task,
        description=manifest.description,
        execution_provider=model.execution_provider,
        golden_difference=model.golden_difference,
        memory_bytes=model.memory_bytes,
        labels=manifest.labels,
        colors=manifest.colors,
        units=manifest.units,
        input=InputInfo(name=images.name, dtype=images.dtype, shape=images.shape),
        preprocessing=manifest.preprocessing,
        metrics=manifest.metrics,
        taps=len(manifest.graph.taps),
        license=manifest.license,
    )


def _refused(refusal: Refusal) -> RefusedVersion:
    return RefusedVersion(version=refusal.version, file=refusal.file, reason=refusal.reason)


def _unloaded(unloaded: Unloaded) -> UnloadedVersion:
    return UnloadedVersion(version=unloaded.version, reason=unloaded.reason)
