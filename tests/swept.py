"""`convscope predict --out` as a process of its own, and what it leaves behind."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from PIL import Image


def write_pictures(folder: Path, count: int, side: int = 8) -> list[str]:
    """Write PNGs of random colours, and return their paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        buffer = io.BytesIO()
        color = random.integers(0, 256, 3).astype(np.uint8)
        Image.fromarray(np.tile(color, (side, side, 1))).save(buffer, "PNG")
        paths.append(str(folder / f"{number:05}.png"))
        Path(paths[-1]).write_bytes(buffer.getvalue())
    return paths


def start(*words: object, models: Path, **how: Any) -> "subprocess.Popen[str]":
    """Start the command with these arguments; how: what Popen takes."""
    variables = {"CONVSCOPE_MODELS_DIR": str(models), "CONVSCOPE_DEVICE": "cpu"}
    command = [sys.executable, "-m", "service", "predict", *map(str, words)]
    given = {"stderr": subprocess.PIPE, **how}
    return subprocess.Popen(command, env=os.environ | variables, text=True, **given)


def finish(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return its exit code and what it told on standard error."""
    told = process.communicate(timeout=120)[1]
    return process.returncode, told


def records_of(results: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines."""
    return [json.loads(line) for line in results.read_text().splitlines()]


def read_table(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a table, read by others; of CSV everything is text."""
    if file.suffix == ".parquet":
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return rows
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
