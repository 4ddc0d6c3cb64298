"""API keys: who may ask, and who may also change what is served."""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from itertools import takewhile
from pathlib import Path

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.page import is_public
from service.api.path import path_of
from service.api.problems import problem_of, respond
from service.api.request_id import request_id_of
from service.api.siblings import Siblings
from service.contract.errors import Forbidden, SetupError, Unauthorized

# With fewer characters, guessing over the network begins to be worth it.
MIN_LENGTH = 16
# Orchestrators have no keys.
OPEN = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"})
# The same whether a key was missing or wrong, so that it helps nobody to guess.
_WANTED = "This needs a key, sent as 'Authorization: Bearer KEY' or as 'x-api-key: KEY'."

Headers = Iterable[tuple[bytes, bytes]]


class KeyRing:
    """All keys that are valid, held as digests; an admin key opens what an ordinary one does."""

    def __init__(self, ordinary: Iterable[str] = (), admin: Iterable[str] = ()) -> None:
        self._admin = _digests(admin)
        self._all = _digests(ordinary) + self._admin

    @property
    def locks(self) -> bool:
        """Whether there are ordinary keys, so that every route needs one."""
        return len(self._all) > len(self._admin)

    def opens(self, headers: Headers) -> bool:
        """Return whether any valid key came with the request."""
        return _sent_any(headers, self._all)

    def check_admin(self, headers: Headers) -> None:
        """Raises: Forbidden if there are no admin keys or an ordinary one came; Unauthorized."""
        if not self._admin:
            raise Forbidden(
                "This is off: set an admin key with --admin-keys-file or CONVSCOPE_ADMIN_KEYS."
            )
        if not _sent_any(headers, self._admin):
            raise Forbidden("This needs an admin key.") if self.opens(headers) else _unauthorized()


class Guard:
    """Middleware that lets nothing pass without a key but the questions of orchestrators and the
    page itself, which asks for one.

    And those of siblings: who reaches their private sockets can read the keys' file as well.
    """

    def __init__(self, app: ASGIApp, keys: KeyRing, siblings: Siblings) -> None:
        self._app = app
        self._keys = keys
        self._siblings = siblings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] in OPEN
            or is_public(scope)
            or self._keys.opens(scope["headers"])
            or self._siblings.sent(scope)
        ):
            await self._app(scope, receive, send)
            return
        problem = problem_of(_unauthorized(), request_id_of(scope))
        refusal = respond(problem, path_of(scope))
        await refusal(scope, receive, send)


async def require_admin(request: Request) -> None:
    """Let only admins pass; a dependency of routes: `dependencies=[Depends(require_admin)]`.

    Raises: as `KeyRing.check_admin`.
    """
    keys: KeyRing = request.app.state.keys
    keys.check_admin(request.scope["headers"])


def read_keys(file: Path | None, listed: str | None, variable: str) -> list[str]:
    """Return the keys of the file and of the list together.

    file: a key a line; empty lines and words from one that begins with # on are passed over.
    listed: keys separated by commas, from the environment variable of that name.
    Raises: SetupError if the file cannot be read, or if either has no key or an unfit one;
        it tells where and never the key.
    """
    keys = []
    if file is not None:
        keys += _fit(_lines(file), str(file))
    if listed is not None:
        keys += _fit([key.strip() for key in listed.split(",") if key.strip()], variable)
    return keys


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SetupError(f"The keys in {file} cannot be read: {reason}.") from error
    return [key for line in text.splitlines() if (key := _before_comment(line))]


def _before_comment(line: str) -> str:
    return " ".join(takewhile(lambda word: not word.startswith("#"), line.split()))


def _fit(keys: list[str], source: str) -> list[str]:
    if not keys:
        raise SetupError(f"There is no key in {source}.")
    for number, key in enumerate(keys, 1):
        if len(key) < MIN_LENGTH:
            raise SetupError(f"Key {number} in {source} has fewer than {MIN_LENGTH} characters.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise SetupError(f"Key {number} in {source} has more than ASCII without spaces.")
    return keys


def _digests(keys: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(sha256(key.encode()).digest() for key in keys)


def _sent_any(headers: Headers, digests: tuple[bytes, ...]) -> bool:
    """Return whether one of the keys in the headers has one of the digests."""
    for name, value in headers:
        if name == b"x-api-key":
            key = value
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            key = value[7:]
        else:
            continue
        if _among(sha256(key.strip()).digest(), digests):
            return True
    return False


def _among(digest: bytes, digests: tuple[bytes, ...]) -> bool:
    """Compare with all of them, however early one fits, so that the time tells nothing."""
    found = False
    for known in digests:
        found |= compare_digest(digest, known)
    return found


def _unauthorized() -> Unauthorized:
    return Unauthorized(_WANTED)
