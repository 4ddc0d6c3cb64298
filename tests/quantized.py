"""INT8 twins of models, made as ONNX Runtime's own tools make them."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from service.contract.golden import write_golden
from service.contract.manifest import FileRef, read_manifest, write_manifest
from tests.onnx_graphs import open_session


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: np.ndarray) -> None:
        self._batches = iter([{name: inputs}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def write_int8_twin(source: Path, target: Path) -> Path:
    """Write version folder `target` with the model of `source` in 8 bits (QDQ), and return it.

    It is calibrated on the golden inputs of the original. Names of tensors stay.
    """
    target.mkdir(parents=True)
    manifest = read_manifest(source)
    graph = manifest.graph
    name = graph.inputs[0].name
    with np.load(source / "golden.npz") as golden:
        inputs = golden[f"input.{name}"]
    file = target / "model.onnx"
    quantize_static(
        source / "model.onnx",
        file,
        _Batches(name, inputs),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "Gemm", "MatMul"],
    )
    outputs = open_session(file.read_bytes())({name: inputs})
    write_golden(target / "golden.npz", {name: inputs}, outputs)
    shutil.copy(source / "CARD.md", target)
    entry = graph.model_copy(update={"file": _ref(file)})
    changed = {
        "version": int(target.name),
        "graphs": (entry,),
        "golden": manifest.golden.model_copy(update={"file": _ref(target / "golden.npz")}),
    }
    write_manifest(target, manifest.model_copy(update=changed))
    return target


def _ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
