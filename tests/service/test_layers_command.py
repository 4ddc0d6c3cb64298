"""`convscope layers` for models that hear."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
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
    """What a cell sees is in samples, and the last line says how many make a second."""
    lines = layers(models, "silence").splitlines()
    (envelope,) = (line.split() for line in lines if line.startswith("envelope/Conv"))
    assert envelope[2:] == ["1x99", "80", "40", "0x0", "80", "7920", "1x80", "1x40"]
    assert f"bands of the spectrogram x samples, {RATE_HZ:,} a second" in lines[-1]


def test_table_of_a_spectrogram_tells_bands_and_samples(models: Path) -> None:
    """The local receptive field has a column only where some layer sees more than that."""
    table = layers(models, "tones")
    (conv,) = (line.split() for line in table.splitlines() if line.startswith("conv/Conv"))
    assert conv[-2:] == ["3x512", "1x128"]
    assert "local receptive field" not in table
    (row,) = (
        row
        for row in csv.DictReader(io.StringIO(layers(models, "tones", "--csv")))
        if row["name"] == "conv/Conv"
    )
    assert row["local_receptive_field"] == row["receptive_field"] == "3x512"
