"""What `convscope predict --out` asks of every file, by what the model does."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from service.api.measure_answer import measurement_out
from service.api.segment_answer import segmentation_out
from service.api.segment_query import SegmentQuery
from service.api.sound_answer import predictions_out, sound_classes_out, spans_out
from service.commands.saving import save_masks
from service.sweep.asker import Asker
from service.tasks.catalog import ServedModel
from service.tasks.classify import Probabilities
from service.tasks.listen import Heard, Recording
from service.tasks.segment import Question, Segmented

# Each may hold 4 MB of waveform; windows of all of them run together.
_SOUNDS_AT_ONCE = 16


class Turns:
    """Who may run: on processors everybody, on a GPU one after another, which bounds its memory."""

    def __init__(self, on_cpu: bool) -> None:
        self.on_cpu = on_cpu
        self._lock = Lock()

    @contextmanager
    def mine(self) -> Iterator[None]:
        """Run inside."""
        if self.on_cpu:
            yield
            return
        with self._lock:
            yield


class PictureClasses:
    """Which classes a picture belongs to."""

    def __init__(self, model: ServedModel, turns: Turns, most: int, top_k: int) -> None:
        self.batch = most
        self.head = _head(model)
        self._task = model.classifying().task
        self._turns = turns
        self._top_k = top_k

    def prepare(self, path: str, data: bytes) -> tuple[Hashable, Any]:
        return self._task.prepare(data)

    def run(self, items: Sequence[Any]) -> Sequence[Probabilities]:
        with self._turns.mine():
            return self._task.run(items, False)

    def describe(self, item: Any, output: Probabilities) -> dict[str, Any]:
        return {"predictions": predictions_out(self._task.predictions(output, self._top_k))}


class _Picture(NamedTuple):
    """data: kept only if it is needed again."""

    path: str
    data: bytes
    prepared: Any


class Masks:
    """Which class every pixel of a picture is of. save: a folder for masks and overlays."""

    def __init__(
        self, model: ServedModel, turns: Turns, most: int, query: SegmentQuery, save: Path | None
    ) -> None:
        # In large maps a convolution keeps a processor busy by itself: batches cost memory only.
        self.batch = 1 if turns.on_cpu else most
        self.head = _head(model)
        self._model = model
        self._task = model.segmenting().task
        self._turns = turns
        self._query = query
        self._save = save

    def prepare(self, path: str, data: bytes) -> tuple[Hashable, _Picture]:
        asked = Question(data, self._query.tile_px, self._query.resolution)
        key, prepared = self._task.prepare(asked)
        return key, _Picture(path, data if self._save else b"", prepared)

    def run(self, items: Sequence[_Picture]) -> Sequence[Segmented]:
        with self._turns.mine():
            return self._task.run([item.prepared for item in items], False)

    def describe(self, item: _Picture, output: Segmented) -> dict[str, Any]:
        if self._save:
            save_masks(self._task, item.data, output, self._query, self._save, item.path)
        return segmentation_out(self._model, output, self._query)


class _Sounds:
    """What all that listens has in common."""

    batch = _SOUNDS_AT_ONCE

    def __init__(self, model: ServedModel, turns: Turns) -> None:
        self.head = _head(model)
        self._model = model
        self._task = model.listening(model.verb).task
        self._turns = turns

    def prepare(self, path: str, data: bytes) -> tuple[Hashable, Any]:
        return self._task.prepare(Recording(data))

    def run(self, items: Sequence[Any]) -> Sequence[Heard]:
        with self._turns.mine():
            return self._task.run(items, False)


class SoundClasses(_Sounds):
    """Which classes a sound and each of its windows belong to."""

    def __init__(self, model: ServedModel, turns: Turns, top_k: int) -> None:
        super().__init__(model, turns)
        self._top_k = top_k

    def describe(self, item: Any, output: Heard) -> dict[str, Any]:
        return sound_classes_out(self._model, output, self._top_k)


class SoundSpans(_Sounds):
    """Which class a sound is of, from when to when."""

    def __init__(self, model: ServedModel, turns: Turns, min_seconds: float) -> None:
        super().__init__(model, turns)
        self._min_seconds = min_seconds

    def describe(self, item: Any, output: Heard) -> dict[str, Any]:
        return spans_out(self._model, output, self._min_seconds)


class SoundValues(_Sounds):
    """What a model measures in a sound."""

    def describe(self, item: Any, output: Heard) -> dict[str, Any]:
        return measurement_out(self._model, output)


def _head(model: ServedModel) -> dict[str, Any]:
    return {"model": {"name": model.manifest.name, "version": model.manifest.version}}


def asker_for(
    model: ServedModel,
    turns: Turns,
    most: int,
    top_k: int,
    query: SegmentQuery,
    save: Path | None,
) -> Asker:
    """Return what asks the model. most: pictures that run together at most."""
    if model.verb == "measure":
        return SoundValues(model, turns)
    if model.verb == "segment":
        if model.listens:
            return SoundSpans(model, turns, query.min_seconds)
        return Masks(model, turns, most, query, save)
    if model.listens:
        return SoundClasses(model, turns, top_k)
    return PictureClasses(model, turns, most, top_k)
