"""Pictures to masks, for the command line."""

from pathlib import Path
from time import perf_counter

from service.api.segment_answer import cleaned, segmentation_out
from service.api.segment_query import SegmentQuery
from service.codecs.image import encode_png
from service.codecs.palette_png import encode_palette_png
from service.commands.told import Told, shares_as_text
from service.tasks.catalog import ServedModel
from service.tasks.overlay import render_overlay
from service.tasks.segment import Question


def segment_file(model: ServedModel, file: Path, query: SegmentQuery, save: Path | None) -> Told:
    """Return what the server would answer to the picture, and its classes with their shares.

    save: a folder to write `NAME.mask.png`, which has a palette, and `NAME.overlay.png` into.
    Raises: OSError; what decoding and the query raise.
    """
    started = perf_counter()
    data, task = file.read_bytes(), model.segmenting().task
    segmented = task.segment(Question(data, query.tile_px, query.resolution))
    answer = segmentation_out(model, segmented, query)
    answer["timing"] = {"total_ms": round((perf_counter() - started) * 1000, 3)}
    if save:
        mask = cleaned(segmented, query)
        save.mkdir(parents=True, exist_ok=True)
        overlay = render_overlay(task.picture(data), mask, task.colors)
        (save / f"{file.name}.mask.png").write_bytes(encode_palette_png(mask, task.colors))
        (save / f"{file.name}.overlay.png").write_bytes(encode_png(overlay))
    return Told(answer, shares_as_text(answer))
