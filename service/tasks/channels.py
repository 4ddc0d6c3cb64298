"""Which channels of a feature map were asked for."""

import re

from service.contract.errors import InvalidParameter

# Room for every number up to a thousand, but not for a request that is all work and no answer.
_LONGEST = 4096
_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")


def parse_channels(spec: str, channels: int) -> tuple[int, ...]:
    """Return the channel indices that the spec names, each once, in the order given.

    spec: `all`, or numbers and ranges (both ends included) separated by commas.
    channels: how many there are.
    Raises: InvalidParameter if the spec is something else or leaves 0..channels-1.

    >>> parse_channels("0-3,8", 16)
    (0, 1, 2, 3, 8)
    """
    if spec.strip() == "all":
        return tuple(range(channels))
    if len(spec) > _LONGEST:
        raise _invalid(spec, channels, f"the text is longer than {_LONGEST} characters")
    indices: dict[int, None] = {}
    for part in spec.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise _invalid(spec, channels, f"{part.strip()[:40]!r} is no channel or range")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise _invalid(spec, channels, f"the range {part.strip()!r} runs backwards")
        if last >= channels:
            raise _invalid(spec, channels, f"there is no channel {last}")
        indices.update(dict.fromkeys(range(first, last + 1)))
    return tuple(indices)


def _invalid(spec: str, channels: int, reason: str) -> InvalidParameter:
    valid = f"0-{channels - 1}" if channels > 1 else "0"
    return InvalidParameter(
        f"channels={spec[:80]!r}: {reason}. This layer has the channels {valid}; "
        "give numbers and ranges such as '0-15,20', or 'all'."
    )
