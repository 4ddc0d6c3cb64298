"""One input of a model, the ways to move it, and how its answers are judged."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.contract.audible import audible
from service.contract.errors import InvalidAudio
from service.contract.postprocess import softmax
from service.contract.specs import AudioPreprocessing
from service.contract.windows import Waveform
from service.tasks.catalog import Classifying, Listening, ServedModel
from service.tasks.classify import Classifier
from service.tasks.listen import Listener
from service.tasks.segment import Segmenter
from service.tasks.sound_window import window_at
from service.tasks.stability.judges import ClassJudge, Judge, Mask, MaskJudge
from service.tasks.stability.moves import COARSE, FINE, PictureMoves
from service.tasks.stability.sound_moves import SoundMoves
from service.tasks.stability.warp import Source

Moves = PictureMoves | SoundMoves


class Subject(NamedTuple):
    """An input and what is done to it. together: so many moved inputs are run at once."""

    moves: Moves
    judge: Judge
    together: int


# The numbers in the inputs of one run: more are no faster, but need as much more memory.
_RUN_PX = 2**18
_RUN_SAMPLES = 2**20
_MOST_TOGETHER = 16


def subject_of(model: ServedModel, data: bytes, start_s: float) -> Subject:
    """Return the picture, or the window of the sound that begins at `start_s`, for the model.

    Raises: what decoding raises; InvalidParameter if the sound does not last so long;
        InvalidAudio if a classifier is given a silent window.
    """
    answering, labels = model.answering, model.manifest.labels
    if isinstance(answering, Listening):
        classifies = model.manifest.task == "audio-classification"
        return _sound(answering.task, window_of(answering.task, data, start_s), labels, classifies)
    classifies = isinstance(answering, Classifying)
    moves = PictureMoves(answering.task.model_input(data), FINE if classifies else COARSE)
    judge: Judge
    if isinstance(answering, Classifying):
        judge = ClassJudge(partial(_classes_of_pictures, answering.task), labels)
    else:
        judge = MaskJudge(
            partial(_masks_of_pictures, answering.task),
            labels,
            lambda sweep, amount, _: moves.source(sweep, amount),
        )
    height, width = moves.rest.shape[:2]
    return Subject(moves, judge, _together(_RUN_PX, height * width))


def _sound(
    task: Listener, waveform: Waveform, labels: tuple[str, ...], classifies: bool
) -> Subject:
    moves = SoundMoves(waveform, task.spec.sample_rate_hz)
    judge: Judge
    if classifies:
        if not audible(waveform):
            raise InvalidAudio("The window is silent: there is nothing to classify.")
        judge = ClassJudge(lambda windows: softmax(task.run_windows(windows, False)), labels)
    else:
        judge = MaskJudge(
            lambda windows: [Mask(mask, None) for mask in task.run_windows(windows, False)],
            labels,
            lambda sweep, amount, shape: _of_frames(moves.source(sweep, amount), shape, task.spec),
        )
    return Subject(moves, judge, _together(_RUN_SAMPLES, len(waveform)))


def window_of(task: Listener, data: bytes, start_s: float) -> Waveform:
    """Return the window (window_samples,) that begins there; raises as `window_at`."""
    return window_at(data, start_s, task.spec, task.limits).waveform


def _classes_of_pictures(task: Classifier, inputs: NDArray[Any]) -> NDArray[np.floating]:
    return np.stack(task.run(list(inputs), False))


def _masks_of_pictures(task: Segmenter, inputs: NDArray[Any]) -> list[Mask]:
    output = task.run_inputs(inputs, False)
    return [Mask(*of_one) for of_one in zip(*output, strict=True)]


def _of_frames(source: Source, shape: tuple[int, ...], spec: AudioPreprocessing) -> Source:
    """Return in frames what the source says in samples; a frame is where its middle is."""
    (frames,) = shape
    step = spec.hop_samples / frames
    first = (spec.window_samples - spec.hop_samples) / 2 + step / 2
    middles = np.rint(first + step * np.arange(frames)).astype(np.intp)
    return (source[:, np.clip(middles, 0, spec.window_samples - 1)] - first) / step


def _together(most: int, each: int) -> int:
    return max(1, min(_MOST_TOGETHER, most // each))
