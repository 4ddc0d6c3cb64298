from pathlib import Path
from typing import Any

import pytest

from service.contract.errors import InvalidModel
from service.contract.manifest import read_manifest
from tests.tiny_models import change_manifest, write_measurer, write_model


def test_manifest_of_a_model_that_measures_is_read(tmp_path: Path) -> None:
    """Its labels are what it measures, each with a unit."""
    manifest = read_manifest(write_measurer(tmp_path))
    assert dict(zip(manifest.labels, manifest.units, strict=True)) == {"peak": "%", "mean": "‰"}
    assert manifest.graph.output_of_role("values") is not None


def test_manifest_without_units_is_that_of_a_model_with_classes(tmp_path: Path) -> None:
    """Older manifests say nothing of units, and stay valid."""
    folder = write_model(tmp_path)
    change_manifest(folder, lambda manifest: manifest.pop("units"))
    assert read_manifest(folder).units == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"units": ["%"]}, "1 units for 2 labels"),
        ({"units": []}, "0 units for 2 labels"),
        ({"labels": ["peak"], "units": ["%"]}, "1 labels do not match the output 'values'"),
        ({"task": "audio-classification"}, "'probabilities'"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    """As many labels and units as values, which only this task has."""
    folder = write_measurer(tmp_path)
    change_manifest(folder, lambda manifest: manifest.update(change))
    with pytest.raises(InvalidModel, match=told):
        read_manifest(folder)


@pytest.mark.parametrize(("field", "value"), [("role", None), ("dtype", "uint8")])
def test_values_must_be_numbers_with_that_role(tmp_path: Path, field: str, value: Any) -> None:
    """A graph without them cannot answer."""
    folder = write_measurer(tmp_path)

    def change(manifest: dict[str, Any]) -> None:
        manifest["graphs"][0]["outputs"][0][field] = value

    change_manifest(folder, change)
    with pytest.raises(InvalidModel, match="role 'values'"):
        read_manifest(folder)
