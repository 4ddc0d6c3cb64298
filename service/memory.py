"""The C library's own hoarding of memory: what Python and ONNX Runtime free, it may keep."""

import ctypes
import sys
from contextlib import suppress

_ARENAS = -8  # M_ARENA_MAX of malloc.h


def few_arenas() -> None:
    """Have all threads share two pools of memory; call it before there are threads.

    glibc gives every thread one of its own, and memory that is free in one is of no use
    to another. Elsewhere than with glibc this does nothing.
    """
    with suppress(AttributeError, OSError):
        _library().mallopt(_ARENAS, 2)


def give_back() -> None:
    """Return to the system what is free; nothing where the C library has no such call."""
    with suppress(AttributeError, OSError):
        _library().malloc_trim(0)


def _library() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("only glibc is meant")
    return ctypes.CDLL(None)
