import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from service.api.measure_answer import MeasurementOut
from service.cli import main
from service.commands.told import values_as_text
from tests.sounds import RATE_HZ, stored
from tests.tiny_models import write_listener, write_measurer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sound that grows loud, then silent, and a file that is none."""
    write_measurer(tmp_path / "models")
    write_listener(tmp_path / "models")
    monkeypatch.setenv("CONVSCOPE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("CONVSCOPE_DEVICE", "cpu")
    folder = tmp_path / "sounds"
    folder.mkdir()
    signs = np.where(np.arange(RATE_HZ) % 20 < 10, 1, -1)
    parts = [signs * peak for peak in (0.2, 0.2, 0.4, 0.4, 0.4, 0.4, 0, 0)]
    (folder / "a.wav").write_bytes(stored(np.concatenate(parts).astype(np.float32)))
    (folder / "b.wav").write_text("no sound")
    return folder


def predict(*arguments: object) -> Result:
    words = ["predict", *map(str, arguments), "--model", "meter"]
    return CliRunner().invoke(main, words)


def test_predict_prints_values_and_a_timeline(folder: Path) -> None:
    """The whole first; then stretches that measure the same, silence among them."""
    done = predict(folder / "a.wav")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"{folder / 'a.wav'}: peak 40 %, mean 400 ‰",
        "  0:00.00-0:01.88  peak 20 %, mean 200 ‰",
        "  0:01.88-0:02.12  peak 40 %, mean 300 ‰",
        "  0:02.12-0:05.88  peak 40 %, mean 400 ‰",
        "  0:05.88-0:06.12  peak 40 %, mean 200 ‰",
        "  0:06.12-0:08.00  silent",
    ]


def test_predict_prints_the_servers_json(folder: Path) -> None:
    """Of every file; one that is no sound does not stop the others."""
    done = predict(folder, "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.output)["results"]
    assert first.pop("file").endswith("a.wav")
    answer = MeasurementOut.model_validate(first, extra="forbid")
    assert answer.values[0].value == pytest.approx(40)
    assert len(answer.segments) == 31
    assert "error" in second


def test_masks_of_what_has_none_are_refused(folder: Path) -> None:
    """`--save` is for segmenters."""
    done = predict(folder / "a.wav", "--save", folder)
    assert done.exit_code == 2
    assert "segmenters" in done.output


@pytest.mark.parametrize(
    ("value", "told"),
    [(100.4, "100"), (98.765, "98.8"), (1234.5, "1230"), (0.01234, "0.0123"), (None, "unknown")],
)
def test_values_are_told_to_three_digits(value: float | None, told: str) -> None:
    """Without exponents or trailing points, whatever their size."""
    assert values_as_text([{"name": "tempo", "unit": "BPM", "value": value}]) == f"tempo {told} BPM"
