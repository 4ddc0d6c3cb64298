"""Keeps Pillow's process-wide switches as we want them while pictures are decoded."""

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_lock = threading.Lock()
_active: list[int] = []  # max_pixels of every decode that is under way
_found_limit: int | None = None
_found_warnings: "warnings.catch_warnings[None] | None" = None


@contextmanager
def guard(max_pixels: int) -> Iterator[None]:
    """While inside, Pillow refuses more than `max_pixels` pixels and warns of nothing.

    Both are switches of the whole process, and `warnings.catch_warnings` alone is
    not safe among threads: so the first decode sets them and the last one puts
    them back. Among decodes with different limits Pillow keeps the largest.
    """
    with _lock:
        if not _active:
            _save()
        _active.append(max_pixels)
        _set_limit()
    try:
        yield
    finally:
        with _lock:
            _active.remove(max_pixels)
            if _active:
                _set_limit()
            else:
                _restore()


def bomb_size(error: Image.DecompressionBombError) -> int:
    """Return how many pixels Pillow refused to decode."""
    found = re.search(r"(\d+) pixels", str(error))
    return int(found[1]) if found else 0


def _save() -> None:
    global _found_limit, _found_warnings
    _found_limit = Image.MAX_IMAGE_PIXELS
    _found_warnings = warnings.catch_warnings()
    _found_warnings.__enter__()
    warnings.filterwarnings("ignore", module=r"PIL\.")


def _set_limit() -> None:
    # Pillow warns above its limit and refuses above twice its limit.
    Image.MAX_IMAGE_PIXELS = (max(_active) + 1) // 2


def _restore() -> None:
    Image.MAX_IMAGE_PIXELS = _found_limit
    if _found_warnings is not None:
        _found_warnings.__exit__(None, None, None)
