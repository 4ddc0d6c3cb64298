"""Requests that are written once and sent often, each time under an id of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.load import Target

# What a good request may be told: its answer, come again later, or too late.
ANSWERED = frozenset({200, 503, 504})
_MARK = b"here-stands-the-id"
_BOUNDARY = "convscope-chaos"


@dataclass(frozen=True)
class Letter:
    """A request but for its id, which stands between `before` and `after`.

    kind: what it is, for the report.
    fine: the statuses that are right for it.
    named: the server can read its id, so the answer must carry it.
    alone: it is sent on a connection of its own, after which nothing else can come.
    """

    kind: str
    before: bytes
    after: bytes = b""
    fine: frozenset[int] = ANSWERED
    named: bool = True
    alone: bool = False

    def request(self, request_id: str) -> bytes:
        """Return the request as it is sent."""
        return self.before + request_id.encode() + self.after if self.named else self.before


def letter(
    kind: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    fine: Iterable[int] = ANSWERED,
    method: str | None = None,
) -> Letter:
    """Return a letter in good HTTP: GET, or POST where there is a body.

    path: with its query.
    """
    marked = {"X-Request-Id": _MARK.decode(), **(headers or {})}
    target = Target(
        f"http://localhost{path}", marked, method or ("GET" if body is None else "POST")
    )
    before, _, after = target.request(body or b"").partition(_MARK)
    return Letter(kind, before, after, frozenset(fine))


def raw(kind: str, data: bytes, fine: Iterable[int]) -> Letter:
    """Return a letter that is sent as it is, whatever that may be."""
    return Letter(kind, data, b"", frozenset(fine), named=False, alone=True)


def form(files: Iterable[bytes], field: str = "file") -> tuple[bytes, dict[str, str]]:
    """Return the files as a multipart body, and the header that says so."""
    parts = [
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="picture"\r\n\r\n'.encode()
        + file
        + b"\r\n"
        for file in files
    ]
    body = b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
    return body, {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
