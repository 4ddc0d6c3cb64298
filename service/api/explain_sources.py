"""What was sent to be explained: as the model is given it, and the way back from its input."""

from typing import Protocol

import numpy as np

from service.api.explain_schemas import ExplainQuery, PeakOut, SoundPeakOut
from service.codecs.image import encode_png
from service.contract.errors import InvalidParameter
from service.contract.manifest import image_spec
from service.contract.view import View, view_of
from service.tasks.catalog import Classifying, Listening, Segmenting, ServedModel
from service.tasks.reasons.drawing import render_map, render_sound_map_of, render_sound_overlay
from service.tasks.reasons.heat import render_heat
from service.tasks.reasons.question import Explanation, Subject
from service.tasks.sound_window import window_at


class Source(Protocol):
    """A picture or a window of a sound."""

    subject: Subject

    def peak(self, explanation: Explanation) -> PeakOut | SoundPeakOut | None:
        """Return where the strongest cell lies in what was sent, if the map says something."""

    def draw_map(self, explanation: Explanation, label: str) -> bytes:
        """Return a PNG of the map alone."""

    def draw_overlay(self, explanation: Explanation, label: str) -> bytes:
        """Return a PNG of the map over what was sent."""


def source_of(model: ServedModel, file: bytes, query: ExplainQuery) -> Source:
    """Decode what was sent. Raises: what decoding raises; InvalidParameter for x, y or start_s."""
    if isinstance(model.answering, Listening):
        return _Window(model, model.answering, file, query.start_s or 0.0)
    return _Picture(model, model.answering, file, query)


class _Picture:
    def __init__(
        self,
        model: ServedModel,
        answering: Classifying | Segmenting,
        file: bytes,
        query: ExplainQuery,
    ) -> None:
        self._file, self._task = file, answering.task
        self._spec = image_spec(model.manifest)
        self._view = view_of(self._task.picture_size(file), self._spec)
        place = _place(query, self._view)
        self.subject = Subject(
            self._task.model_input(file),
            np.array(self._spec.mean, np.float32) * 255,
            place,
            _own(self._view) if isinstance(answering, Segmenting) else (),
        )

    def peak(self, explanation: Explanation) -> PeakOut | None:
        if explanation.peak is None:
            return None
        height, width = self._view.picture
        y, x = self._view.to_picture(*explanation.peak)
        return PeakOut(x=min(max(0.0, x), width), y=min(max(0.0, y), height))

    def draw_map(self, explanation: Explanation, label: str) -> bytes:
        return render_map(explanation, label)

    def draw_overlay(self, explanation: Explanation, label: str) -> bytes:
        picture = self._task.picture(self._file)
        # what counts is what came out of the file
        view = view_of((picture.shape[0], picture.shape[1]), self._spec)
        return encode_png(render_heat(picture, view, explanation))


class _Window:
    def __init__(
        self, model: ServedModel, answering: Listening, file: bytes, start_s: float
    ) -> None:
        self._features, self._spec = model.features, answering.task.spec
        self._window = window_at(file, start_s, self._spec, answering.task.limits)
        self.subject = Subject(self._window.waveform, np.zeros(1, np.float32))

    def peak(self, explanation: Explanation) -> SoundPeakOut | None:
        if explanation.peak is None:
            return None
        band, sample = explanation.peak
        time_s = (self._window.start + sample) / self._spec.sample_rate_hz
        return SoundPeakOut(time_s=time_s, band=band if len(explanation.values) > 1 else None)

    def draw_map(self, explanation: Explanation, label: str) -> bytes:
        return render_sound_map_of(explanation, label, self._window, self._spec)

    def draw_overlay(self, explanation: Explanation, label: str) -> bytes:
        window, spec = self._window, self._spec
        return render_sound_overlay(explanation, label, window, spec, self._features)


def _place(query: ExplainQuery, view: View) -> tuple[float, float] | None:
    """Return the pixel that was asked for in shares of the input's height and width."""
    if query.x is None or query.y is None:
        return None
    height, width = view.picture
    if query.x >= width or query.y >= height:
        raise InvalidParameter(
            f"x={query.x}, y={query.y}: the picture is {width} x {height} pixels."
        )
    y, x = view.to_input(query.y + 0.5, query.x + 0.5)
    return y / view.input[0], x / view.input[1]


def _own(view: View) -> tuple[slice, slice]:
    """Return where in the input of a segmenter the picture lies."""
    (top, left), (bottom, right) = view.to_input(0.0, 0.0), view.to_input(*map(float, view.picture))
    return slice(round(top), round(bottom)), slice(round(left), round(right))
