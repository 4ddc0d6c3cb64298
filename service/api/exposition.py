"""Figures of several processes as one text in Prometheus' format."""

import re
from collections.abc import Mapping

_FAMILY = re.compile(rb"^(?=# HELP )", re.MULTILINE)


def merged(texts: Mapping[int, bytes]) -> bytes:
    """Return the texts as one, in which every sample has its process as a label.

    Added up they would go wrong whenever a process starts again from zero: Prometheus can tell
    that of one process' counter, but not of a sum.
    texts: as prometheus_client writes them, by process.

    >>> about = b"# HELP n N.\\n# TYPE n gauge\\n"
    >>> print(merged({0: about + b"n 1\\n", 1: about + b"n 2\\n"}).decode(), end="")
    # HELP n N.
    # TYPE n gauge
    n{process="0"} 1
    n{process="1"} 2
    """
    families: dict[bytes, list[bytes]] = {}  # what introduces a metric may stand there only once
    for process, text in texts.items():
        for family in filter(None, _FAMILY.split(text)):
            help_, type_, *samples = family.rstrip(b"\n").split(b"\n")
            together = families.setdefault(help_ + b"\n" + type_, [])
            together += [_labelled(sample, process) for sample in samples]
    return b"".join(b"\n".join([head, *samples, b""]) for head, samples in families.items())


def _labelled(sample: bytes, process: int) -> bytes:
    name, brace, rest = sample.partition(b"{")
    if brace:
        return b'%s{process="%d",%s' % (name, process, rest)
    name, _, value = sample.partition(b" ")
    return b'%s{process="%d"} %s' % (name, process, value)
