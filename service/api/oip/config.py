"""GET v2/models/{name}/config: how a version is run, in the shape of Triton's model configuration.

What is there is true of this server; fields that would be about something else are left out.
"""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from service.api.oip.asked import Version, find
from service.api.oip.metadata import parameters_of
from service.api.state import PROBLEMS, CurrentState, State
from service.tasks.catalog import ServedModel
from service.tasks.tensor_specs import TensorSpec

router = APIRouter(responses=PROBLEMS, tags=["Open Inference Protocol"])

Policy = dict[str, dict[str, Any]]


class TensorConfig(BaseModel):
    """A tensor without its batch axis; -1 stands for an axis of any size."""

    name: str
    data_type: str
    dims: tuple[int, ...]


class QueuePolicy(BaseModel):
    """What becomes of a request that waits too long, and how many may wait."""

    timeout_action: Literal["REJECT"] = "REJECT"
    default_timeout_microseconds: int
    allow_timeout_override: Literal[True] = True
    max_queue_size: int


class DynamicBatching(BaseModel):
    """How requests are gathered into batches."""

    max_queue_delay_microseconds: int
    preserve_ordering: Literal[False] = False
    default_queue_policy: QueuePolicy


class InstanceGroup(BaseModel):
    """Where the graph runs; count: batches run at once at most."""

    name: str
    kind: Literal["KIND_CPU", "KIND_GPU"]
    count: int


class Text(BaseModel):
    """A parameter."""

    string_value: str


class ModelConfig(BaseModel):
    """How a version is run; the batch axis is understood."""

    name: str
    platform: Literal["onnxruntime_onnx"] = "onnxruntime_onnx"
    backend: Literal["onnxruntime"] = "onnxruntime"
    default_model_filename: str
    version_policy: Policy
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]
    dynamic_batching: DynamicBatching
    instance_group: list[InstanceGroup]
    parameters: dict[str, Text]


@router.get("/v2/models/{name}/config")
async def model_config(name: str, state: CurrentState) -> ModelConfig:
    """Tell how a model is run: batches, queue, device and tensors."""
    return _config(find(state.catalog, name), state)


@router.get("/v2/models/{name}/versions/{version}/config")
async def version_config(name: str, version: Version, state: CurrentState) -> ModelConfig:
    """Tell how one version is run."""
    return _config(find(state.catalog, name, version), state)


def _config(model: ServedModel, state: State) -> ModelConfig:
    name = model.manifest.name
    return ModelConfig(
        name=name,
        default_model_filename=model.manifest.graph.file.path,
        version_policy=_version_policy(name, state),
        max_batch_size=model.queue.rules.max_batch_size,
        input=list(map(_tensor, model.tensors.inputs)),
        output=list(map(_tensor, model.tensors.outputs)),
        dynamic_batching=_batching(model, state),
        instance_group=[_instances(model)],
        parameters={key: Text(string_value=text) for key, text in parameters_of(model).items()},
    )


def _version_policy(name: str, state: State) -> Policy:
    policy = state.live.policy
    if policy.name == "all":
        return {"all": {}}
    if name in policy.pins:
        return {"specific": {"versions": [policy.pins[name]]}}
    return {"latest": {"num_versions": 1}}


def _tensor(spec: TensorSpec) -> TensorConfig:
    return TensorConfig(name=spec.name, data_type=f"TYPE_{spec.datatype}", dims=spec.shape[1:])


def _batching(model: ServedModel, state: State) -> DynamicBatching:
    rules = model.queue.rules
    return DynamicBatching(
        max_queue_delay_microseconds=round(rules.max_queue_delay_ms * 1000),
        default_queue_policy=QueuePolicy(
            default_timeout_microseconds=round(state.request_timeout_ms * 1000),
            max_queue_size=rules.max_queue,
        ),
    )


def _instances(model: ServedModel) -> InstanceGroup:
    on_cpu = model.execution_provider == "CPUExecutionProvider"
    return InstanceGroup(
        name=model.manifest.name,
        kind="KIND_CPU" if on_cpu else "KIND_GPU",
        count=model.queue.lanes,
    )
