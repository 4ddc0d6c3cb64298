"""`convscope layers` for models that hear."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.api.schemas import LayerOut, LayersOut, ModelRef, TotalsOut
from service.cli import main
from service.commands.layer_table import align_table
from tests.sound_graphs import RATE_HZ, write_silence, write_tones


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_silence(root)
    write_tones(root)
    return root


def layers(models: Path, *words: str) -> str:
    done = CliRunner().invoke(
        main, ["layers", *words, "--models-dir", str(models), "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_table_of_a_net_on_the_waveform_tells_samples(models: Path) -> None:
    """What a cell sees is in samples; the last line says how many make a second."""
    lines = layers(models, "silence").splitlines()
    (envelope,) = (line.split() for line in lines if line.startswith("envelope/Conv"))
    assert envelope[1:] == ["80", "/40", "1x99", "80", "7.9k", "100.0%", "1x80", "1x40", "2.0%"]
    assert f"bands of the spectrogram x samples, {RATE_HZ:,} a second" in lines[-1]


def test_table_of_a_spectrogram_tells_bands_and_samples(models: Path) -> None:
    """The local field has a column only where some layer sees more than that."""
    table = layers(models, "tones")
    (conv,) = (line.split() for line in table.splitlines() if line.startswith("conv/Conv"))
    assert conv[-3:] == ["3x512", "1x128", "2.4%"]
    assert "local" not in table
    (row,) = (
        row
        for row in csv.DictReader(io.StringIO(layers(models, "tones", "--csv")))
        if row["name"] == "conv/Conv"
    )
    assert row["local_receptive_field"] == row["receptive_field"] == "3x512"


def layer(name: str, **how: object) -> LayerOut:
    nothing = dict.fromkeys(LayerOut.model_fields)
    given = {"module": "", "op": "Conv", "shape": (3, 8, 8), "parameters": 0, "macs": 0}
    return LayerOut(**{**nothing, **given, "name": name, **how})


def lines_of(*layers: LayerOut) -> list[str]:
    totals = TotalsOut(parameters=1, macs=1)
    ref = ModelRef(name="net", version=1)
    return align_table(
        LayersOut(model=ref, sample_rate_hz=None, layers=layers, totals=totals)
    ).splitlines()


def test_table_fits_a_terminal_whatever_names_are_like() -> None:
    """Long names lose their middle; beginning and end tell most."""
    name = "encoder." + "block." * 40 + "conv/Conv"
    wide = {"receptive_field": (1000, 1000), "jump": (32, 32), "parameters": 123_456_789}
    lines = lines_of(layer(name, **wide), layer("conv/Conv"))
    assert max(map(len, lines)) == 120
    assert lines[1].startswith("encoder.block.")
    assert "block.block.conv/Conv  " in lines[1]
    assert "…" in lines[1]


def test_window_is_told_as_far_as_it_is_out_of_the_way() -> None:
    """Kernel, stride, padding, dilation and groups; one number where all sides are alike."""
    plain = {
        "kernel": (3, 3),
        "stride": (1, 1),
        "padding": (0,) * 4,
        "dilation": (1, 1),
        "groups": 1,
    }
    odd = {
        "kernel": (7, 1),
        "stride": (2, 2),
        "padding": (3, 0, 2, 0),
        "dilation": (2, 2),
        "groups": 8,
    }
    lines = lines_of(layer("a/Conv", **plain), layer("b/Conv", **odd), layer("logits", op="Gemm"))
    assert lines[1].split()[1:3] == ["3x3", "3x8x8"]
    assert lines[2].split()[1:7] == ["7x1", "/2", "+3x0x2x0", "*2", "in", "8"]
    assert lines[3].startswith("logits (Gemm)")
