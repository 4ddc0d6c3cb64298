"""Where requests go, and how they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, urlsplit

# What may stand in a path and a query as it is; `%` because the caller may have quoted already.
_SAFE = "/%:@!$&'()*+,;=~?-._"


class InvalidTarget(ValueError):
    """The address or a header cannot be written into a request; `str(error)` says why."""


@dataclass(frozen=True)
class Target:
    """One resource of a server, and what every request to it says.

    url: in full, with path and query; http or https.
    headers: sent besides Host and Content-Length.
    Raises: InvalidTarget.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise InvalidTarget(f"{self.url!r} is no address such as http://127.0.0.1:8000.")
        for name, value in self.headers.items():
            if not (f"{name}{value}".isprintable() and f"{name}{value}".isascii()):
                # without its value, which may be a secret
                raise InvalidTarget(f"The header {name!r} has characters that no header may have.")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return urlsplit(self.url).scheme == "https"

    @cached_property
    def host(self) -> str:
        """Name or address, without brackets."""
        return urlsplit(self.url).hostname or ""

    @cached_property
    def port(self) -> int:
        """The TCP port."""
        return urlsplit(self.url).port or (443 if self.tls else 80)

    def request(self, body: bytes) -> bytes:
        """Return a whole request, head and body, ready to be sent."""
        parts = urlsplit(self.url)
        place = quote(parts.path or "/", safe=_SAFE)
        if parts.query:
            place += "?" + quote(parts.query, safe=_SAFE)
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode()
        lines = [
            f"{self.method} {place} HTTP/1.1",
            f"Host: {host}:{self.port}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body
