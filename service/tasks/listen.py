"""Sound to what a model says of each of its windows, in bounded memory however long it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from threading import Event
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codecs.sound import Sound, SoundLimits, open_sound
from service.contract.audible import audible
from service.contract.errors import DeadlineExceeded
from service.contract.specs import AudioPreprocessing
from service.contract.windows import Waveform, cut_windows
from service.tasks.timing import Timing

Outputs = NDArray[Any]  # (windows, ...)
# (N, window_samples) float32, and whether nothing else is being worked on -> an item a window
RunWindows = Callable[[Waveform, bool], Outputs]
# A longer waveform is decoded while it runs, lest many of them wait in memory: 4 MB as float32.
_SHORT_SAMPLES = 2**20
# Runs are no faster for more on a processor, and take as much more memory.
_WINDOWS_AT_ONCE = 16


@dataclass(frozen=True)
class Recording:
    """A sound that was sent. gone: set when nobody waits for the answer any more."""

    data: bytes = field(repr=False)
    gone: Event = Event()  # noqa: RUF009, one that is never set


@dataclass(frozen=True)
class Heard:
    """What the model said of a sound.

    starts: of each window, the number of its first sample.
    samples: length of the whole sound, at the model's rate.
    given: (windows,), whether the window was given to the model; it is spared silent ones if it
        has nothing to say of them.
    outputs: (windows given, ...).
    decode_s: seconds of decoding that were spent within the run.
    """

    starts: NDArray[np.int64]
    samples: int
    given: NDArray[np.bool_]
    outputs: Outputs
    decode_s: float = 0.0

    def times_s(self, spec: AudioPreprocessing) -> NDArray[np.float64]:
        """Return where each window begins and ends, or the sound within it, (windows, 2)."""
        ends = np.minimum(self.starts + spec.window_samples, self.samples)
        times: NDArray[np.float64] = np.stack([self.starts, ends], axis=1) / spec.sample_rate_hz
        return times


class _Prepared(NamedTuple):
    """A sound with its waveform, or with none if that is decoded while it runs."""

    recording: Recording
    sound: Sound
    waveform: Waveform | None


class Listener:
    """Bytes to what the model says of windows. `prepare` and `run` are what a batcher needs."""

    def __init__(
        self,
        preprocessing: AudioPreprocessing,
        run: RunWindows,
        limits: SoundLimits,
        spare_silence: bool,
    ) -> None:
        self.spec = preprocessing
        self._run = run
        self.limits = limits
        self._spare_silence = spare_silence
        self._number = count()

    def prepare(self, recording: Recording) -> tuple[object, _Prepared]:
        """Return what the sound may share a batch with, and what it takes to run it.

        Raises: what decoding a sound raises.
        """
        sound = open_sound(recording.data, self.limits)
        waveform = self._short(sound)
        key = "short" if waveform is not None else ("long", next(self._number))
        return key, _Prepared(recording, sound, waveform)

    def run(self, prepared: Sequence[_Prepared], alone: bool) -> list[Heard]:
        """Return what the model says of each; `prepare` made them, with one key.

        Windows of all of them are run together.
        Raises: what decoding a sound raises; DeadlineExceeded if nobody waits any more.
        """
        notes = [_Notes() for _ in prepared]
        windows = (
            (note, window)
            for item, note in zip(prepared, notes, strict=True)
            for window in self._windows(item, note)
        )
        while batch := list(islice(windows, _WINDOWS_AT_ONCE)):
            if all(item.recording.gone.is_set() for item in prepared):
                raise DeadlineExceeded("Nobody waits for the answer any more.")
            outputs = self._run(np.stack([window for _, window in batch]), alone)
            for (note, _), output in zip(batch, outputs, strict=True):
                note.outputs.append(output)
        return [note.heard() for note in notes]

    def with_run(self, run: RunWindows, spare_silence: bool = True) -> "Listener":
        """Return a listener that does something else with the same windows.

        spare_silence: as this one does; if not, silent windows are run too.
        """
        spare = spare_silence and self._spare_silence
        return Listener(self.spec, run, self.limits, spare)

    def listen(self, data: bytes, gone: Event | None = None) -> tuple[Heard, Timing]:
        """Return what the model says of the sound; blocks. Raises: as `prepare` and `run`.

        gone: set when nobody waits for the answer any more.
        """
        started = perf_counter()
        _, prepared = self.prepare(Recording(data, gone or Event()))
        opened = perf_counter()
        (heard,) = self.run([prepared], True)
        ended = perf_counter()
        timing = Timing(
            decode_ms=(opened - started + heard.decode_s) * 1000,
            queue_ms=0.0,
            compute_ms=(ended - opened - heard.decode_s) * 1000,
            total_ms=(ended - started) * 1000,
            batch_size=1,
        )
        return heard, timing

    def run_windows(self, windows: Waveform, alone: bool) -> Outputs:
        """Return what the model says of windows (N, window_samples), silent or not."""
        return self._run(windows, alone)

    def model_input(self, data: bytes) -> Waveform:
        """Return the first window (window_samples,); raises what decoding a sound raises."""
        blocks = open_sound(data, self.limits).blocks(self.spec.sample_rate_hz)
        return next(cut_windows(blocks, self.spec))[1]

    def _short(self, sound: Sound) -> Waveform | None:
        """Return the whole waveform, or None if it is a long one."""
        rate = self.spec.sample_rate_hz
        if (sound.duration_s or 0.0) * rate > _SHORT_SAMPLES:
            return None
        blocks, samples = [], 0
        for block in sound.blocks(rate):
            blocks.append(block)
            samples += len(block)
            if samples > _SHORT_SAMPLES:  # one of those that do not say how long they are
                return None
        return np.concatenate(blocks)

    def _windows(self, item: _Prepared, note: "_Notes") -> Iterator[Waveform]:
        """Yield the windows that the model is given, and note all of them."""
        if item.waveform is not None:
            blocks: Iterable[Waveform] = [item.waveform]
        else:
            blocks = note.timed(item.sound.blocks(self.spec.sample_rate_hz))
        for start, window in cut_windows(note.counted(blocks), self.spec):
            given = not self._spare_silence or bool(audible(window))
            note.starts.append(start)
            note.given.append(given)
            if given:
                yield window


class _Notes:
    """What is known of one sound so far."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.given: list[bool] = []
        self.outputs: list[Outputs] = []
        self._samples = 0
        self._decode_s = 0.0

    def timed(self, blocks: Iterator[Waveform]) -> Iterator[Waveform]:
        """Yield the blocks, and note how long each took to come."""
        while True:
            started = perf_counter()
            block = next(blocks, None)
            self._decode_s += perf_counter() - started
            if block is None:
                return
            yield block

    def counted(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """Yield the blocks, and note how many samples they have."""
        for block in blocks:
            self._samples += len(block)
            yield block

    def heard(self) -> Heard:
        return Heard(
            starts=np.array(self.starts, np.int64),
            samples=self._samples,
            given=np.array(self.given, np.bool_),
            outputs=np.stack(self.outputs) if self.outputs else np.empty((0, 0), np.float32),
            decode_s=self._decode_s,
        )
