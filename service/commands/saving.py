"""Masks and overlays beside the results of `convscope predict --out`."""

import errno
from pathlib import Path

from service.api.segment_answer import cleaned
from service.api.segment_query import SegmentQuery
from service.codecs.image import encode_png
from service.codecs.palette_png import encode_palette_png
from service.contract.errors import SetupError
from service.tasks.overlay import render_overlay
from service.tasks.segment import Segmented, Segmenter

# What befalls every file, not this one.
_GENERAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def save_masks(
    task: Segmenter, data: bytes, segmented: Segmented, query: SegmentQuery, folder: Path, path: str
) -> None:
    """Write `PATH.mask.png`, which has a palette, and `PATH.overlay.png` below the folder.

    Raises: SetupError if nothing can be written there; OSError if the name is the obstacle.
    """
    mask = cleaned(segmented, query)
    overlay = render_overlay(task.picture(data), mask, task.colors)
    place = folder / inside(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_name(f"{place.name}.mask.png").write_bytes(encode_palette_png(mask, task.colors))
        place.with_name(f"{place.name}.overlay.png").write_bytes(encode_png(overlay))
    except OSError as error:
        if error.errno in _GENERAL:
            raise SetupError(f"Nothing can be written to {folder}: {error.strerror}.") from error
        raise


def inside(path: str) -> Path:
    """Return the path so that it leads down from wherever it is put.

    >>> str(inside("/photos/a.jpg")), str(inside("../photos/a.jpg"))
    ('photos/a.jpg', '_/photos/a.jpg')
    """
    pure = Path(path)
    parts = pure.parts[1:] if pure.anchor else pure.parts
    return Path(*("_" if part == ".." else part for part in parts))
