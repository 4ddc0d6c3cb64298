"""GET layers: what is inside a model, what it costs and what it sees."""

from functools import partial

from fastapi import APIRouter, Request

from service.api.noted import note_timing
from service.api.patience import TIMEOUT, do
from service.api.schemas import LayerOut, LayersOut, TotalsOut
from service.api.state import PROBLEMS, CurrentState, Version, ref
from service.contract.specs import AudioPreprocessing
from service.tasks.catalog import ServedModel

router = APIRouter(responses=PROBLEMS, tags=["Look inside"])


@router.get("/v1/models/{name}/layers", openapi_extra={"parameters": [TIMEOUT]})
async def layers(
    name: str, request: Request, state: CurrentState, version: Version = None
) -> LayersOut:
    """List the layers that can be looked at, with their size, cost and receptive field."""
    model = state.catalog.get(name, version)
    note_timing(request.scope, name, model.manifest.version)
    table: LayersOut = await do(partial(layers_out, model), request, state)
    return table


def layers_out(model: ServedModel) -> LayersOut:
    """Return the layer table as it is written out, by the server and the command line alike."""
    table, spec = model.features.layers(), model.manifest.preprocessing
    return LayersOut(
        model=ref(model),
        sample_rate_hz=spec.sample_rate_hz if isinstance(spec, AudioPreprocessing) else None,
        layers=[LayerOut.model_validate(layer, from_attributes=True) for layer in table.layers],
        totals=TotalsOut.model_validate(table.totals, from_attributes=True),
    )
