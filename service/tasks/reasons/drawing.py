"""An explanation as a picture of its own, and over a sound."""

from dataclasses import replace

import numpy as np

from service.codecs.image import encode_png
from service.contract.specs import AudioPreprocessing
from service.tasks.colors import fit_scale
from service.tasks.features import FeatureMaps
from service.tasks.header import put_header
from service.tasks.reasons.question import Explanation
from service.tasks.sound_mosaic import Cover, Scene, render_sound_map
from service.tasks.sound_scene import is_spectrogram, scene_of
from service.tasks.sound_window import SoundWindow
from service.tasks.tiles import draw_tiles
from service.tasks.timeline import Timeline
from service.tasks.tint import glow_of, strength_of


def render_map(explanation: Explanation, label: str) -> bytes:
    """Return a PNG of the map alone, as it is: blue is against the class, red is for it."""
    values = explanation.values
    scale = fit_scale(values)
    body, _ = draw_tiles(values[None], [""], [scale])
    facts = " · ".join(_facts(explanation))
    picture = put_header(body, _title(explanation, label), facts, values, scale)
    return encode_png(np.asarray(picture))


def render_sound_map_of(
    explanation: Explanation,
    label: str,
    window: SoundWindow,
    spec: AudioPreprocessing,
) -> bytes:
    """Return a PNG of the map along the window that it is for, with the waveform above it."""
    scene = _scene(explanation, window, spec)
    return render_sound_map(explanation.values[None], (0,), _title(explanation, label), scene)


def render_sound_overlay(
    explanation: Explanation,
    label: str,
    window: SoundWindow,
    spec: AudioPreprocessing,
    features: FeatureMaps,
) -> bytes:
    """Return a PNG of the graph's own spectrogram, glowing where the model looks.

    It is the last layer of single bands, behind logarithm and normalisation.

    A graph without one gets the map itself, along the waveform.
    """
    layer = next((row for row in reversed(features.layers().layers) if is_spectrogram(row)), None)
    scene = scene_of(layer, window, spec)
    if layer is None or scene is None or layer.start is None or layer.jump is None:
        return render_sound_map_of(explanation, label, window, spec)
    spectrogram = features.compute(layer.name, window.waveform[None]).values
    rows = layer.start[0] + np.arange(spectrogram.shape[1]) * layer.jump[0]
    columns = layer.start[1] + np.arange(spectrogram.shape[2]) * layer.jump[1]
    values = explanation.values
    strength = explanation.grid.sample(strength_of(values), rows, columns).astype(np.float32)
    strength = np.zeros_like(strength) if explanation.degenerate else strength
    cover = Cover(values, strength, glow_of(values))
    scene = replace(scene, notes=tuple(_facts(explanation)), numbered=False)
    return render_sound_map(spectrogram, (0,), _title(explanation, label), scene, cover=cover)


def _title(explanation: Explanation, label: str) -> str:
    where = f" at {explanation.layer}" if explanation.layer else ""
    return f"{label} {explanation.probability:.0%}: {explanation.method}{where}"


def _facts(explanation: Explanation) -> list[str]:
    facts = [explanation.reason] if explanation.reason else []
    facts.append(" x ".join(map(str, explanation.values.shape)))
    if explanation.channels is not None and explanation.tried not in (None, explanation.channels):
        facts.append(f"the strongest {explanation.tried} of {explanation.channels} channels")
    return [*facts, f"{explanation.runs} runs"]


def _scene(explanation: Explanation, window: SoundWindow, spec: AudioPreprocessing) -> Scene:
    rate, grid = spec.sample_rate_hz, explanation.grid
    begin_s = window.start / rate
    timeline = Timeline(
        begin_s=begin_s,
        end_s=begin_s + spec.window_samples / rate,
        first_s=begin_s + grid.start[1] / rate,
        cell_s=grid.jump[1] / rate,
    )
    return Scene(
        timeline=timeline,
        waveform=window.waveform,
        heard=window.heard,
        bands=(grid.start[0], grid.jump[0]),
        notes=tuple(_facts(explanation)),
        numbered=False,
    )
