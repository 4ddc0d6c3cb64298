"""Memory that is free but not given back, by Python's collector or by the C library."""

import ctypes
import gc
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


def settle() -> None:
    """Have the collector pass over what is here to stay, and come less often.

    Searching all libraries and models again and again took a fifth of the event loop's time and
    doubled the slowest answers of small nets.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


def give_back() -> None:
    """Return to the system what a model leaves behind; blocks, some of it all of Python.

    Sessions are large, but to Python's collector they are one object each: it sees no hurry.
    """
    gc.collect()
    with suppress(AttributeError, OSError):
        _library().malloc_trim(0)


def _library() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("only glibc is meant")
    return ctypes.CDLL(None)
