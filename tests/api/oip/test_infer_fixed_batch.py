"""Inference with a graph that always takes the same number of rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.settings import Settings
from tests.api.client import Client
from tests.api.oip.asking import infer, outputs_of, sent_as_bytes
from tests.api.oip.test_infer import expected
from tests.tiny_models import change_manifest, colors_graph, write_model

BATCH = 4


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
def test_any_number_of_rows_is_answered(tmp_path: Path, rows: int) -> None:
    """They are cut and filled up, and what was filled in is not told."""
    graph = colors_graph()
    for end in (*graph.graph.input, *graph.graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = BATCH

    def fix(manifest: dict[str, Any]) -> None:
        (described,) = manifest["graphs"]
        for tensor in (*described["inputs"], *described["outputs"]):
            tensor["shape"][0] = BATCH

    change_manifest(write_model(tmp_path, graph=graph), fix)
    pictures = np.random.default_rng(rows).integers(0, 256, (rows, 8, 8, 3), np.uint8)
    with Client(Settings(models_dir=tmp_path, device="cpu", max_batch_size=8)) as client:
        found = outputs_of(infer(client, "colors", **sent_as_bytes("images", pictures)))
    assert found["probabilities"] == pytest.approx(expected(pictures), abs=1e-6)
