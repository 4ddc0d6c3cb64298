"""What clients of Triton may ask for and is not here: a sentence that says so, and why."""

from fastapi import APIRouter

from service.api.state import PROBLEMS
from service.contract.errors import NotOffered

# 404, not 501: examples and start scripts ask such things as a matter of course, and nobody is to
# be woken for that.
router = APIRouter(responses=PROBLEMS, include_in_schema=False)

_METHODS = ["GET", "POST"]
_SHARED_MEMORY = (
    "status",
    "unregister",
    "region/{region}/status",
    "region/{region}/register",
    "region/{region}/unregister",
)


@router.api_route("/v2/trace/setting", methods=_METHODS)
@router.api_route("/v2/models/{name}/trace/setting", methods=_METHODS)
async def trace() -> None:
    """Triton's trace extension."""
    raise NotOffered(
        "The trace extension is not offered: the operator has traces sent with --tracing."
    )


@router.api_route("/v2/logging", methods=_METHODS)
async def logging() -> None:
    """Triton's logging extension."""
    raise NotOffered(
        "The logging extension is not offered: the operator sets --log-level and --log-format."
    )


async def shared_memory() -> None:
    """Triton's extensions for shared memory of the system and of CUDA."""
    raise NotOffered("Shared memory is not offered: send tensors in the body, as JSON or binary.")


for kind in ("system", "cuda"):
    for rest in _SHARED_MEMORY:
        router.add_api_route(f"/v2/{kind}sharedmemory/{rest}", shared_memory, methods=_METHODS)
