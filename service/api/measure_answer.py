"""What a model measured in a sound, written out."""

from collections.abc import Iterable
from math import isfinite
from typing import Any

from pydantic import BaseModel, Field

from service.api.schemas import ModelRef, Problem, TimingOut
from service.contract.manifest import Manifest
from service.tasks.catalog import ServedModel
from service.tasks.listen import Heard
from service.tasks.measurement import Measurement

_DIGITS = 6  # of seconds: a microsecond is less than a sample


class ValueOut(BaseModel):
    """A quantity that was measured; null if the model gave no number."""

    name: str
    unit: str
    value: float | None


class MeasuredWindowOut(BaseModel):
    """What was measured in a part of a sound; in a silent one, nothing."""

    start_s: float
    end_s: float
    values: list[ValueOut]
    silent: bool | None = Field(None, description="True where it is; otherwise left out.")


class MeasurementOut(BaseModel):
    """What was measured in a sound, and in each of its windows.

    values: the median of the windows' values, those of silent ones left out; of an even number
        the lower of the two in the middle.
    segments: windows of the model's length, which may overlap.
    """

    model: ModelRef
    values: list[ValueOut]
    segments: list[MeasuredWindowOut]
    duration_s: float
    timing: TimingOut


class MeasurementResults(BaseModel):
    """One entry a file, in the order in which they were sent."""

    results: list[MeasurementOut | Problem]


def measurement_out(model: ServedModel, heard: Heard) -> dict[str, Any]:
    """Return MeasurementOut but for its timing; blocks.

    Raises: InvalidAudio if the sound is silent throughout.
    """
    manifest = model.manifest
    measured = Measurement(heard, model.listening("measure").task.spec)
    windows = zip(
        measured.times_s.round(_DIGITS).tolist(),
        measured.values.tolist(),
        measured.silent.tolist(),
        strict=True,
    )
    return {
        "model": {"name": manifest.name, "version": manifest.version},
        "values": _values(manifest, measured.whole().tolist()),
        "segments": [
            {"start_s": start_s, "end_s": end_s, "values": [], "silent": True}
            if silent
            else {"start_s": start_s, "end_s": end_s, "values": _values(manifest, values)}
            for (start_s, end_s), values, silent in windows
        ],
        "duration_s": round(measured.duration_s, _DIGITS),
    }


def _values(manifest: Manifest, values: Iterable[float]) -> list[dict[str, Any]]:
    return [
        {"name": name, "unit": unit, "value": value if isfinite(value) else None}
        for name, unit, value in zip(manifest.labels, manifest.units, values, strict=True)
    ]
