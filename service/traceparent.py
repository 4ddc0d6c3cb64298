"""The traceparent header: which trace a request belongs to (W3C Trace Context, 3.2)."""

import re
from collections.abc import Iterable

_NAME = b"traceparent"
# Version ff is forbidden, an id of only zeros is none, and only versions to come may have more.
_VALID = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})"
    rb"-(?!0{32})(?P<trace>[0-9a-f]{32})"
    rb"-(?!0{16})[0-9a-f]{16}"
    rb"-[0-9a-f]{2}(?P<more>-.*)?"
)


def trace_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the trace id, 32 hexadecimal digits, or None if there is no valid one.

    headers: names in lower case, as ASGI has them.

    >>> trace_id_of([(b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")])
    '0af7651916cd43dd8448eb211c80319c'
    """
    sent = [value for name, value in headers if name == _NAME]
    if len(sent) != 1:
        return None
    found = _VALID.fullmatch(sent[0].strip())
    if not found or (found["version"] == b"00" and found["more"]):
        return None
    return found["trace"].decode()
