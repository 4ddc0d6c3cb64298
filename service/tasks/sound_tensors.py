"""The tensors of a model that listens; of a file it gives what it says of the whole sound."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from service.contract.errors import InvalidParameter
from service.contract.manifest import Manifest, Task
from service.contract.preprocess import Pixels
from service.contract.specs import AudioPreprocessing
from service.contract.windows import Waveform
from service.tasks.listen import Heard, Listener, Recording
from service.tasks.measurement import Measurement
from service.tasks.spans import frame_count
from service.tasks.tensors import Array, Encoded, RunGraph, Tensors
from service.tasks.verdict import Verdict

# By role what the windows' outputs come to; `Heard` holds the outputs of one role.
Said = dict[str, Heard]
_Whole = Callable[[Said, AudioPreprocessing], dict[str, Array]]


class _Sound(NamedTuple):
    """A file that the listener has prepared."""

    prepared: Any


class SoundTensors(Tensors):
    """Rows are windows (N, window_samples), each with its own outputs; a file is a whole sound.

    listener: that of the model, whose windows and silences are the same here.
    """

    def __init__(
        self, manifest: Manifest, run: RunGraph, most_rows: int, listener: Listener
    ) -> None:
        super().__init__(manifest, run, most_rows)
        self._listener = listener.with_run(self._run_packed)
        self._roles: dict[str, str] = {
            tensor.name: tensor.role or "" for tensor in manifest.graph.outputs
        }
        self._dtypes = [tensor.dtype for tensor in manifest.graph.outputs]
        self._whole = _WHOLE[manifest.task]

    def prepared(self, item: Any) -> bool:
        """Return whether `prepare` made this."""
        return isinstance(item, _Sound) or super().prepared(item)

    def run(self, prepared: Sequence[Any], alone: bool) -> list[Any]:
        """Return of each what `outputs_of` takes; `prepare` made them, with one key."""
        if isinstance(prepared[0], _Sound):
            return list(self._listener.run([sound.prepared for sound in prepared], alone))
        return super().run(prepared, alone)

    def decode_s(self, answer: Any) -> float:
        """Return the seconds of decoding that were spent within the run of an item."""
        return answer.decode_s if isinstance(answer, Heard) else 0.0

    def sound_s(self, answer: Any) -> float | None:
        """Return the length of the sound that the item was, if it was one."""
        if not isinstance(answer, Heard):
            return None
        return answer.samples / self._listener.spec.sample_rate_hz

    def _file(self, file: Encoded) -> tuple[Hashable, Any]:
        # its windows count as one item
        key, prepared = self._listener.prepare(Recording(file.data, file.gone))
        return (_Sound, key), _Sound(prepared)

    def _run_packed(self, windows: Waveform, alone: bool) -> Array:
        """Return all outputs of each window as one record (N,), as the listener keeps them."""
        outputs = dict(zip(self._roles, self._run(windows, alone), strict=True))
        kinds = [(name, output.dtype, output.shape[1:]) for name, output in outputs.items()]
        packed = np.empty(len(windows), np.dtype(kinds))
        for name, output in outputs.items():
            packed[name] = output
        return packed

    def _arrays(self, answer: Any) -> list[Array]:
        if not isinstance(answer, Heard):
            return super()._arrays(answer)
        # where all windows are silent there are no records, only nothing
        said: Said = {
            role: replace(answer, outputs=answer.outputs[name]) if answer.given.any() else answer
            for name, role in self._roles.items()
        }
        whole = self._whole(said, self._listener.spec)
        for name, role in self._roles.items():
            if role not in whole:
                raise InvalidParameter(f"The output {name!r} is of windows: send rows, no files.")
        return [
            np.asarray(whole[role], dtype)[np.newaxis]
            for role, dtype in zip(self._roles.values(), self._dtypes, strict=True)
        ]


def _classes(said: Said, spec: AudioPreprocessing) -> dict[str, Array]:
    verdict = Verdict(said["logits"], spec)
    logits = said["logits"].outputs.mean(axis=0, dtype=np.float64)
    return {"probabilities": verdict.whole(), "logits": logits}


def _frames(said: Said, spec: AudioPreprocessing) -> dict[str, Array]:
    """Return the frames of all windows one after the other, as far as the sound goes."""
    masks: Pixels = said["mask"].outputs  # (windows, T)
    probabilities = said["probabilities"].outputs  # (windows, classes, T)
    count = frame_count(said["mask"].samples, spec, spec.hop_samples // masks.shape[1])
    in_a_row = probabilities.transpose(1, 0, 2).reshape(probabilities.shape[1], -1)
    return {"mask": masks.reshape(-1)[:count], "probabilities": in_a_row[:, :count]}


def _values(said: Said, spec: AudioPreprocessing) -> dict[str, Array]:
    return {"values": Measurement(said["values"], spec).whole()}


_WHOLE: dict[Task, _Whole] = {
    "audio-classification": _classes,
    "audio-segmentation": _frames,
    "audio-regression": _values,
}
