"""The system's limit on open files, of which every connection is one."""

import logging
import sys

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# Models, libraries, and connections that are just being turned away.
_OTHERS = 128
_logger = logging.getLogger("convscope")


def room_for_connections(wanted: int) -> int:
    """Return how many connections there may be: `wanted`, or fewer if the system allows fewer.

    Raises this process's own limit as far as it may. Beyond it connections would be closed
    without a word, and no model could be read either.
    """
    if resource is None:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed, needed = _count(soft), wanted + _OTHERS
    if allowed < needed:
        allowed = min(needed, _count(hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    room = min(wanted, max(1, allowed - _OTHERS))
    if room < wanted:
        _logger.warning("%d connections at most: only %d files may be open", room, allowed)
    return room


def _count(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
