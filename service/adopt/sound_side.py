"""The way of sounds to a graph that takes a waveform."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from service.adopt.asked import Asked
from service.adopt.compose import Ends
from service.adopt.findings import Finding, Sureness
from service.adopt.inputs import GraphInput, as_type
from service.adopt.pieces import Piece
from service.adopt.prologue import sound_prologue
from service.adopt.refusal import CannotAdd
from service.adopt.samples import sample_sounds
from service.contract.specs import AudioPreprocessing


@dataclass(frozen=True)
class SoundSide:
    """A window of a waveform as the graph takes it; scale: what samples in -1..1 are times."""

    given: GraphInput
    scale: float
    spec: AudioPreprocessing

    def samples(self, count: int) -> NDArray[Any]:
        return sample_sounds(count, self.spec.window_samples)

    def numbers(self, inputs: NDArray[Any]) -> NDArray[Any]:
        values = inputs.astype(np.float64) * self.scale
        return as_type(values[:, None] if len(self.given.axes) == 3 else values, self.given.dtype)

    def prologue(self, opset: int) -> Piece:
        return sound_prologue(self.given, self.scale, opset)

    def ends(self, batch: int | None) -> Ends:
        return Ends((batch, self.spec.window_samples), TensorProto.FLOAT)


def read_sound_side(given: GraphInput, asked: Asked) -> tuple[SoundSide, list[Finding]]:
    """Return how sounds become what the graph takes; raises CannotAdd."""
    _check(given, asked)
    rate = asked.sample_rate_hz
    if rate is None:
        raise CannotAdd(
            "No file tells at which rate its sounds were sampled: say it with --sample-rate, such "
            "as --sample-rate 16000."
        )
    window, sure = _window(given, asked, rate)
    hop = round(asked.hop_s * rate) if asked.hop_s else max(1, window // 2)
    if not 1 <= hop <= window:
        raise CannotAdd("--hop-seconds must be no longer than the window.")
    scale = 1.0 if asked.scale is None else asked.scale
    spec = AudioPreprocessing(sample_rate_hz=rate, window_samples=window, hop_samples=hop)
    overrides = "the usual range; --scale overrides"
    amplitude = ("unknown", overrides) if asked.scale is None else ("told", "--scale")
    return SoundSide(given, scale, spec), [
        Finding("input", str(given), "certain"),
        Finding("rate", f"{rate:,} Hz", "told", "--sample-rate"),
        Finding(
            "window",
            f"{window / rate:g} s, one every {hop / rate:g} s",
            sure,
            "--window-seconds" if asked.window_s else "--hop-seconds overrides",
        ),
        Finding("samples", f"-{scale:g}..{scale:g}", *amplitude),  # type: ignore[arg-type]
    ]


def _check(given: GraphInput, asked: Asked) -> None:
    axes = given.axes
    if len(axes) not in (2, 3) or (len(axes) == 3 and axes[1] not in (1, None)):
        raise CannotAdd(
            f"The input {given} is no waveform: that would be (N, samples) or (N, 1, samples)."
        )
    if given.dtype == np.uint8:
        raise CannotAdd(f"The input {given} takes bytes; sounds are floats.")
    if any(
        (
            asked.preset,
            asked.mean,
            asked.std,
            asked.layout,
            asked.channel_order,
            asked.size,
            asked.resize,
            asked.crop_fraction,
        )
    ):
        raise CannotAdd("Of sounds, only --scale says something of their numbers.")


def _window(given: GraphInput, asked: Asked, rate: int) -> tuple[int, Sureness]:
    own = given.axes[-1]
    wanted = round(asked.window_s * rate) if asked.window_s else None
    if own is None and wanted is None:
        raise CannotAdd(
            "The graph takes sounds of any length: say how much it is to hear at once with "
            "--window-seconds."
        )
    if own is not None and wanted not in (None, own):
        raise CannotAdd(
            f"The graph takes {own} samples, which are {own / rate:g} s at {rate:,} Hz: "
            "--window-seconds must agree with it."
        )
    window = own or wanted or 0
    if window < 16:
        raise CannotAdd(f"The graph takes {window} samples, which is no window of a sound.")
    return window, "certain" if own else "told"
