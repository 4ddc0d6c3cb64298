"""What two models say of one file, and how far they agree; labels are compared by their text."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import DeadlineExceeded
from service.contract.postprocess import Prediction, top_predictions
from service.tasks.catalog import Classifying, Segmenting, ServedModel
from service.tasks.listen import Listener, Recording
from service.tasks.segment import Question, Segmented
from service.tasks.sound_window import window_at
from service.tasks.spans import Spans, spans_of
from service.tasks.verdict import Verdict

Labels = tuple[str, ...]
# No class of a mask has this number, so it agrees with none.
_NO_CLASS = 255


class Share(NamedTuple):
    """A class of a mask and its share of the pixels or of the time, in 0..1."""

    label: str
    class_index: int
    share: float


@dataclass(frozen=True)
class Answer:
    """What one model said. inputs: what its layers are compared on, (1, ...).

    content: probabilities (classes,), a segmented picture, or the spans of a sound.
    """

    labels: Labels
    inputs: NDArray[Any]
    content: NDArray[np.floating] | Segmented | Spans

    def predictions(self, top_k: int) -> list[Prediction]:
        """Return the likeliest classes; none of masks."""
        if isinstance(self.content, np.ndarray):
            return top_predictions(self.content, self.labels, top_k)
        return []

    def shares(self) -> list[Share]:
        """Return the classes of a mask, the largest first; none of whole inputs."""
        if isinstance(self.content, np.ndarray):
            return []
        if isinstance(self.content, Spans):
            amounts = self.content.seconds(len(self.labels)) / self.content.duration_s
        else:
            mask = self.content.restore()
            amounts = np.bincount(mask.reshape(-1), minlength=len(self.labels)) / mask.size
        order = (-amounts).argsort(kind="stable")
        return [Share(self.labels[i], i, float(amounts[i])) for i in order.tolist() if amounts[i]]


class Agreement(NamedTuple):
    """agreement: of masks, the share of pixels or of time that has one label in both.

    max_probability_difference: over the labels that both have; of masks, over the pixels too.
        None if there are none, and where the two do not work on the same pixels.
    """

    agree: bool
    agreement: float | None
    max_probability_difference: float | None


def answer_of(model: ServedModel, data: bytes, start_s: float, gone: Event) -> Answer:
    """Return what the model says of the file. start_s: of the window whose layers are compared.

    Raises: what decoding raises; TooLarge if layers would not fit; InvalidAudio if a classifier
        is given silence; InvalidParameter if a sound does not last so long; DeadlineExceeded.
    """
    if gone.is_set():
        raise DeadlineExceeded("Nobody waits for the answer any more.")
    answering, labels = model.answering, model.manifest.labels
    if isinstance(answering, Classifying):
        pixels = answering.task.model_input(data)
        (probabilities,) = answering.task.run([pixels], False)
        return Answer(labels, pixels[None], probabilities)
    if isinstance(answering, Segmenting):
        _, prepared = answering.task.prepare(Question(data, tile=0))
        inputs = prepared.inputs
        if inputs is None:  # a large one
            inputs = answering.task.model_input(data)
        (segmented,) = answering.task.run([prepared], False)
        return Answer(labels, inputs[None], segmented)
    return _heard(answering.task, model, Recording(data, gone), start_s)


def _heard(task: Listener, model: ServedModel, recording: Recording, start_s: float) -> Answer:
    labels = model.manifest.labels
    window = window_at(recording.data, start_s, task.spec, task.limits).waveform
    _, prepared = task.prepare(recording)
    (heard,) = task.run([prepared], False)
    if model.manifest.task == "audio-classification":
        return Answer(labels, window[None], Verdict(heard, task.spec).whole())
    return Answer(labels, window[None], spans_of(heard, task.spec))


def agreement_of(one: Answer, other: Answer) -> Agreement:
    """Return how far two answers to one file agree; both are of one task."""
    shared = _shared(one.labels, other.labels)
    if isinstance(one.content, np.ndarray) and isinstance(other.content, np.ndarray):
        likeliest = [answer.predictions(1)[0].label for answer in (one, other)]
        apart = [abs(float(one.content[i]) - float(other.content[j])) for i, j in shared]
        return Agreement(likeliest[0] == likeliest[1], None, _largest(apart))
    if isinstance(one.content, Spans) and isinstance(other.content, Spans):
        share = _same_time(one.content, other.content, shared)
        return Agreement(share == 1.0, share, None)
    assert isinstance(one.content, Segmented)
    assert isinstance(other.content, Segmented)
    same_pixels = one.content.frame == other.content.frame
    masks = [a.mask if same_pixels else a.restore() for a in (one.content, other.content)]
    renamed = _renaming(shared)[masks[1]]
    share = float(np.mean(masks[0] == renamed))
    apart = _apart(one.content, other.content, shared) if same_pixels else []
    return Agreement(share == 1.0, share, _largest(apart))


def _largest(apart: Sequence[float]) -> float | None:
    """Return the largest, or None if there is none or one is not a number."""
    return max(apart) if apart and np.isfinite(apart).all() else None


def _shared(one: Labels, other: Labels) -> list[tuple[int, int]]:
    """Return the numbers that the labels which both have go by in each."""
    numbers = {label: number for number, label in enumerate(other)}
    return [(number, numbers[label]) for number, label in enumerate(one) if label in numbers]


def _renaming(shared: Sequence[tuple[int, int]]) -> NDArray[np.uint8]:
    """Return the first model's number of each class of the second."""
    table = np.full(256, _NO_CLASS, np.uint8)
    for one, other in shared:
        table[other] = one
    return table


def _apart(one: Segmented, other: Segmented, shared: Sequence[tuple[int, int]]) -> list[float]:
    return [float(np.abs(one.probabilities[i] - other.probabilities[j]).max()) for i, j in shared]


def _same_time(one: Spans, other: Spans, shared: Sequence[tuple[int, int]]) -> float:
    """Return the share of the time that has one label in both, in 0..1."""
    borders = np.union1d(one.borders_s, other.borders_s)
    middles = (borders[1:] + borders[:-1]) / 2
    classes, renamed = (
        spans.class_indices[
            np.clip(np.searchsorted(spans.borders_s, middles) - 1, 0, len(spans.class_indices) - 1)
        ]
        for spans in (one, other)
    )
    same = classes == _renaming(shared)[renamed]
    return float(np.diff(borders)[same].sum() / (borders[-1] - borders[0]))
