"""Memory that is free but not given back, by Python's collector or by the C library."""

import ctypes
import gc
import sys
from contextlib import suppress

_ARENAS, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of malloc.h
_LARGE_BYTES = 8 * 1024 * 1024


def waste_little() -> None:
    """Have all threads share two pools of memory, and large pieces lie outside of them.

    Call it before there are threads. glibc gives every thread a pool of its own, and memory that
    is free in one is of no use to another; and it learns to put ever larger pieces into pools,
    where answers of 16 MB that came and went left 270 MB behind. Elsewhere than with glibc this
    does nothing.
    """
    with suppress(AttributeError, OSError):
        _library().mallopt(_ARENAS, 2)
        _library().mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


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
