"""Where in a sound the cells of a feature map lie, for its picture and its figures."""

from service.contract.specs import AudioPreprocessing
from service.graph.layers import Layer
from service.tasks.sound_mosaic import Scene
from service.tasks.sound_window import SoundWindow
from service.tasks.timeline import Timeline


def timeline_of(
    layer: Layer | None, window: SoundWindow, spec: AudioPreprocessing
) -> Timeline | None:
    """Return where the cells of the layer lie, or None if they have no place in time."""
    if layer is None or layer.jump is None or layer.start is None or len(layer.shape) < 2:
        return None
    rate, begin_s = spec.sample_rate_hz, window.start / spec.sample_rate_hz
    return Timeline(
        begin_s=begin_s,
        end_s=begin_s + spec.window_samples / rate,
        first_s=begin_s + layer.start[1] / rate,
        cell_s=layer.jump[1] / rate,
    )


def scene_of(layer: Layer | None, window: SoundWindow, spec: AudioPreprocessing) -> Scene | None:
    """Return what the layer's map is shown with, or None if its cells have no place in time."""
    timeline = timeline_of(layer, window, spec)
    if timeline is None or layer is None or layer.start is None or layer.jump is None:
        return None
    notes = [f"a cell every {1000 * timeline.cell_s:.4g} ms"]
    if layer.local_receptive_field is not None:
        seen_ms = 1000 * layer.local_receptive_field[1] / spec.sample_rate_hz
        notes[0] += f" sees {seen_ms:.4g} ms"
    if window.heard < spec.window_samples:
        filled = "repeated" if spec.tail == "align" else "then silence"
        notes.append(f"{window.heard / spec.sample_rate_hz:.3g} s of sound, {filled}")
    return Scene(
        timeline=timeline,
        waveform=window.waveform,
        heard=window.heard,
        bands=(layer.start[0], layer.jump[0]),
        spectrogram=is_spectrogram(layer),
        notes=tuple(notes),
    )


def is_spectrogram(layer: Layer) -> bool:
    """Whether each row is one band, and nothing was made of the bands yet."""
    one_band = layer.local_receptive_field is not None and layer.local_receptive_field[0] == 1
    return one_band and len(layer.shape) == 3 and layer.shape[0] == 1
