"""Measures a model that tells silence, on recordings whose silences are known: made ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Manifest, audio_spec
from service.contract.specs import AudioPreprocessing
from service.contract.windows import windows_of
from service.runtime import open_session
from training.data.sounds import Waveform
from training.evaluate import Evaluation, Table
from training.intervals import bootstrap_interval

PIECES = 8  # sounds in one recording
GAPS_S = (0.2, 1.0)  # shortest and longest silence between them
PEAK = 0.5  # of every sound
NOISE = 0.001  # standard deviation in the silences: a quiet room, 60 dB below full scale
_BATCH = 4


class FrameEvaluation(Evaluation):
    """Figures of a segmenter of sounds; the interval is a bootstrap over recordings."""

    figure: ClassVar[str] = "frame accuracy"
    unit: ClassVar[str] = "frames"
    noun: ClassVar[str] = "recordings"
    chosen_by: ClassVar[str] = "which chose nothing: there was no training"
    about: ClassVar[str] = (
        "The recordings were made for this: single sounds of the data set one after the other, "
        "each amplified to a peak of 0.5, and between them a faint noise, 60 dB below full scale, "
        "whose frames count as silent. "
        "Pauses within the sounds count as sound, whatever is heard of them."
    )
    always: ClassVar[str] = "Every frame gets one of its classes, whatever is heard."

    accuracy: float
    classes: list[str]

    @property
    def value(self) -> float:
        return self.accuracy

    @property
    def labels(self) -> list[str]:
        return self.classes

    def class_table(self, others: Sequence[Evaluation] = ()) -> Table:
        """Return frames, recall and precision of each class."""
        counts = np.array(self.confusion)
        right, truly, said = counts.diagonal(), counts.sum(1), counts.sum(0)
        return Table(
            ("class", "frames", "recall", "precision"),
            [
                (label, f"{truly[i]:,}", f"{right[i] / truly[i]:.2%}", f"{right[i] / said[i]:.2%}")
                for i, label in enumerate(self.labels)
            ],
        )

    def cell(self, count: int, share: float) -> str:
        return f"{share:.1%}"


def made_recordings(
    sounds: Sequence[Waveform], spec: AudioPreprocessing, frame_samples: int
) -> list[tuple[Waveform, NDArray[np.bool_]]]:
    """Return recordings (samples,) of PIECES sounds each and, of each frame, whether it is silent.

    Always the same ones, of sounds with the same PEAK. A frame is silent if the samples in the
    middle of what it hears are.
    """
    random, made = np.random.default_rng(0), []
    order = random.permutation(len(sounds))
    for start in range(0, len(order) - PIECES + 1, PIECES):
        parts, truth = [], []
        for i in order[start : start + PIECES]:
            gap = round(random.uniform(*GAPS_S) * spec.sample_rate_hz)
            loudest = max(float(np.abs(sounds[i]).max()), 1e-6)
            parts += [random.normal(0, NOISE, gap), sounds[i] * (PEAK / loudest)]
            truth += [np.ones(gap, bool), np.zeros(len(sounds[i]), bool)]
        waveform, silent = np.concatenate(parts).astype(np.float32), np.concatenate(truth)
        first = (spec.window_samples - spec.hop_samples + frame_samples) // 2
        made.append((waveform, silent[first::frame_samples]))
    return made


def evaluate_silence(
    folder: Path, manifest: Manifest, sounds: Sequence[Waveform], dataset: str
) -> FrameEvaluation:
    """Return the figures of the model whose graph lies in `folder`.

    sounds: waveforms (samples,) at the model's rate, to make recordings of.
    """
    spec, graph = audio_spec(manifest), manifest.graph
    session = open_session(folder / graph.file.path, str(folder / graph.file.path))
    mask = graph.output_of_role("mask")
    assert mask is not None  # the manifest would not have been valid
    assert mask.shape[1] is not None
    counts = []
    for waveform, silent in made_recordings(sounds, spec, spec.hop_samples // mask.shape[1]):
        _, windows = windows_of(waveform, spec)
        parts = [
            session.run({graph.inputs[0].name: windows[start : start + _BATCH]})[mask.name]
            for start in range(0, len(windows), _BATCH)
        ]
        said = np.concatenate(parts).reshape(-1)[: len(silent)]
        counts.append(np.bincount(2 * silent + said, minlength=4).reshape(2, 2))
    matrices = np.array(counts)
    total = matrices.sum(0)
    return FrameEvaluation(
        dataset=dataset,
        split="silences",
        images=len(matrices),
        interval=bootstrap_interval(matrices, lambda sums: np.trace(sums) / sums.sum()),
        confusion=total.tolist(),
        accuracy=float(np.trace(total) / total.sum()),
        classes=list(manifest.labels),
    )
