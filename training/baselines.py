"""What a genre classifier without any net reaches: ridge regression on means and deviations.

python -m training.baselines --data DATA --by fold --out runs/ridge
"""

from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from training.classification_figures import SoundClassifierEvaluation, figures_of
from training.crossvalidation import gather, table_of, write_cross_validation
from training.data.pictures import DataSet
from training.data.sound_splits import open_sounds, values_of
from training.data.sounds import Sounds, Waveform
from training.nets.mel import mel_filters

SAMPLE_RATE_HZ = 22_050
FRAME_SAMPLES, HOP_SAMPLES, MELS, CEPSTRA = 2048, 512, 64, 20
RIDGE = 300.0  # the best on the validation split of gtzan_clips, as its README tells
Matrix = NDArray[np.float64]


def describe(waveform: Waveform) -> Matrix:
    """Return (2 * (MELS + CEPSTRA),): of bands and cepstra, the means, then the deviations."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform.astype(np.float64), FRAME_SAMPLES)
    windowed = frames[::HOP_SAMPLES] * np.hanning(FRAME_SAMPLES + 1)[:-1]
    powers = np.abs(np.fft.rfft(windowed)) ** 2
    filters = mel_filters(MELS, FRAME_SAMPLES, SAMPLE_RATE_HZ, 0, SAMPLE_RATE_HZ / 2)
    bands = np.log(powers @ filters.T + 1e-6)  # (frames, MELS)
    # the first columns of a discrete cosine transform (DCT-II)
    turns = np.pi / MELS * np.outer(np.arange(MELS) + 0.5, np.arange(CEPSTRA))
    both = np.concatenate([bands, bands @ np.cos(turns)], axis=1)
    return np.concatenate([both.mean(0), both.std(0)])


def ridge_regression(train: Matrix, labels: NDArray[np.int64], test: Matrix) -> NDArray[np.int64]:
    """Return the class of each row of `test`, by the largest of one regression a class."""
    mean, deviation = train.mean(0), train.std(0) + 1e-9
    known, asked = (train - mean) / deviation, (test - mean) / deviation
    targets = np.eye(int(labels.max()) + 1)[labels]
    offset = targets.mean(0)
    gram = known.T @ known + RIDGE * np.eye(known.shape[1])
    weights = np.linalg.solve(gram, known.T @ (targets - offset))
    return (asked @ weights + offset).argmax(1)


def evaluate_ridge(dataset: DataSet[Sounds]) -> SoundClassifierEvaluation:
    """Return the figures on the test split of what was fitted to the training split."""
    train, test = dataset.splits["train"], dataset.splits["test"]
    chosen = ridge_regression(_all(train), train.labels, _all(test))
    figures = figures_of(test.labels, chosen, dataset.classes)
    return SoundClassifierEvaluation(dataset=dataset.name, split="test", **figures)


def _all(sounds: Sounds) -> Matrix:
    waveforms: Iterable[Waveform] = sounds.waveforms(SAMPLE_RATE_HZ)
    return np.stack([describe(waveform) for waveform in waveforms])


@click.command()
@click.option("--data", required=True, type=click.Path(), help="Folder of the data set.")
@click.option("--by", "column", default="fold", show_default=True, help="Column to hold out by.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
def main(data: str, column: str, out: Path) -> None:
    """Measure ridge regression on the data set's own split, and on every fold in turn."""
    click.echo(evaluate_ridge(open_sounds(data)).sentence())
    folds = values_of(data, column)
    row = [evaluate_ridge(open_sounds(data, f"{column}={fold}")) for fold in folds]
    found = gather([row], folds, [0], column, ("ridge regression", None), None)
    write_cross_validation(out, found)
    head, rows = table_of([found])
    for line in (head, *rows):
        click.echo("  ".join(line))


if __name__ == "__main__":
    main()
