"""Sounds to classes, spans of time or values, for the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from service.api.measure_answer import measurement_out
from service.api.sound_answer import sound_classes_out, spans_out
from service.api.timings import timing_out
from service.commands.told import Told, classes_as_text, shares_as_text, values_as_text
from service.contract.postprocess import top_predictions
from service.tasks.catalog import ServedModel
from service.tasks.spans import spans_of
from service.tasks.stretches import runs_of
from service.tasks.verdict import Verdict

_SHOWN = 2  # classes of each stretch


def classify_sound(model: ServedModel, file: Path, top_k: int) -> Told:
    """Return what the server would answer to the sound, and its classes over time.

    Raises: OSError; what decoding raises; InvalidAudio if it is silent throughout.
    """
    task = model.listening("classify").task
    heard, timing = task.listen(file.read_bytes())
    answer = {**sound_classes_out(model, heard, top_k), "timing": timing_out(timing)}
    timeline = _timeline(Verdict(heard, task.spec), model, top_k)
    return Told(answer, "\n".join([classes_as_text(answer), *timeline]))


def measure_sound(model: ServedModel, file: Path) -> Told:
    """Return what the server would answer to the sound, and its values over time.

    Raises: OSError; what decoding raises; InvalidAudio if it is silent throughout.
    """
    task = model.listening("measure").task
    heard, timing = task.listen(file.read_bytes())
    answer = {**measurement_out(model, heard), "timing": timing_out(timing)}
    segments = answer["segments"]
    said = [values_as_text(s["values"]) if s["values"] else "silent" for s in segments]
    runs = runs_of(said, heard.times_s(task.spec), answer["duration_s"])
    borders = [0.0, *(run.end_s for run in runs)]
    table = _table(borders, [said[run.first] for run in runs], _digits_of(borders))
    return Told(answer, "\n".join([values_as_text(answer["values"]), *table]))


def segment_sound(model: ServedModel, file: Path, min_seconds: float) -> Told:
    """Return what the server would answer to the sound, and a line for each of its spans.

    Raises: OSError; what decoding raises.
    """
    task = model.listening("segment").task
    heard, timing = task.listen(file.read_bytes())
    answer = {**spans_out(model, heard, min_seconds), "timing": timing_out(timing)}
    spans = spans_of(heard, task.spec, min_seconds)
    labels = [model.manifest.labels[index] for index in spans.class_indices]
    table = _table(spans.borders_s.tolist(), labels, digits=2)
    return Told(answer, "\n".join([shares_as_text(answer), *table]))


def _timeline(verdict: Verdict, model: ServedModel, top_k: int) -> Iterable[str]:
    """Return a line for each stretch, such as `0:00-0:05  rock 0.81 | pop  0.10`."""
    stretches = verdict.stretches()
    width = max(map(len, model.manifest.labels))
    said = []
    for stretch in stretches:
        if stretch.probabilities is None:
            said.append("silent")
        else:
            found = top_predictions(
                stretch.probabilities, model.manifest.labels, min(top_k, _SHOWN)
            )
            said.append(" | ".join(f"{p.label:<{width}} {p.probability:.2f}" for p in found))
    borders = [0.0, *(stretch.end_s for stretch in stretches)]
    return _table(borders, said, _digits_of(borders))


def _digits_of(borders_s: Sequence[float]) -> int:
    """Return how many digits the seconds of a table need; its end needs none."""
    whole = all(abs(seconds - round(seconds)) < 0.05 for seconds in borders_s[:-1])
    return 0 if whole else 2


def _table(borders_s: Sequence[float], said: Iterable[str], digits: int) -> Iterable[str]:
    """Return a line for each time between two borders; digits: of the seconds."""
    times = [_clock(seconds, digits) for seconds in borders_s]
    width = max(map(len, times))
    for start, end, text in zip(times, times[1:], said, strict=False):
        yield f"  {start:>{width}}-{end:<{width}}  {text}"


def _clock(seconds: float, digits: int) -> str:
    """Return minutes and seconds, and hours from the first on.

    >>> _clock(59.996, 2), _clock(3661.2, 0)
    ('1:00.00', '1:01:01')
    """
    seconds = round(seconds, digits)
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    clock = f"{minutes:02}" if hours else f"{minutes}"
    return f"{f'{hours}:' if hours else ''}{clock}:{rest:0{digits + 3 if digits else 2}.{digits}f}"
