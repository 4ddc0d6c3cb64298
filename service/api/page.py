"""The page at `/` and its files: everything a browser needs, from this server alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from service.api.accept import choose_media_type

router = APIRouter(include_in_schema=False)

HTML = "text/html"
_DOCS_SCRIPT = "js/docs.js"
_FOLDER = Path(__file__).parents[1] / "page"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".flac": "audio/flac",
}
# Nothing from elsewhere, nothing inline, no frame, no form that leaves, no plug-in.
_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The documentation's library writes styles into the document.
_DOCS_POLICY = f"{_POLICY}; style-src 'self' 'unsafe-inline'"
_TAG = re.compile(r"v-[0-9a-f]{12}/")
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent; etag names its content."""

    content: bytes = field(repr=False)
    media_type: str
    etag: str


@dataclass(frozen=True)
class PageFiles:
    """All files by their path below `/page/`; tag names them all, and is part of addresses.

    An address with the tag always means the same bytes, so that browsers may keep them.
    """

    by_path: dict[str, PageFile]
    tag: str


@cache
def page_files() -> PageFiles:
    """Return the files, read once; in the HTML `page/_/` becomes the address with the tag."""
    contents = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for folder in (_FOLDER, _library_folder())
        for path in sorted(folder.rglob("*"))
        if path.suffix in _MEDIA_TYPES and (folder is _FOLDER or path.stem.startswith("swagger"))
    }
    tag = f"v-{_digest(*contents.values())}"
    for path in contents:
        if path.endswith(".html"):
            html = contents[path].decode().replace("<!-- modules -->", _preloads(contents))
            contents[path] = html.replace("page/_/", f"page/{tag}/").encode()
    files = {path: _file(path, content) for path, content in contents.items()}
    return PageFiles(files, tag)


def _preloads(paths: Iterable[str]) -> str:
    """Return what has a browser fetch all modules at once, instead of one import after another."""
    modules = [path for path in paths if path.startswith("js/") and path != _DOCS_SCRIPT]
    return "\n  ".join(f'<link rel="modulepreload" href="page/_/{path}">' for path in modules)


def wants_page(scope: Scope) -> bool:
    """Return whether the request is one of a browser for a document."""
    headers = dict(scope["headers"])
    accept = headers.get(b"accept", b"").decode("latin-1")
    offered = ("application/json", HTML)
    return HTML in accept and choose_media_type(accept, offered) == HTML


def is_public(scope: Scope) -> bool:
    """Return whether it is the page itself, which has to be there before it can ask for a key."""
    path: str = scope["path"]
    if path != "/":
        return path == "/docs" or path.startswith("/page/")
    try:
        return wants_page(scope)
    except HTTPException:  # it likes nothing that is here: the route tells those who may ask
        return False


def page(request: Request) -> Response:
    """Return the page."""
    return _document(request, "index.html", _POLICY)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The interface's documentation, to read and to try."""
    return _document(request, "docs.html", _DOCS_POLICY)


@router.get("/page/{path:path}")
async def page_file(path: str, request: Request) -> Response:
    """A file of the page, under an address with or without a tag."""
    files = page_files()
    tagged = path.startswith(f"{files.tag}/")
    # an older tag is one of a page that was open while the server was replaced
    file = files.by_path.get(_TAG.sub("", path, count=1))
    if file is None or path.endswith(".html"):  # documents have addresses of their own
        raise HTTPException(404)
    return _send(request, file, f"public, max-age={_YEAR_S}, immutable" if tagged else "no-cache")


def _document(request: Request, path: str, policy: str) -> Response:
    answer = _send(request, page_files().by_path[path], "no-cache")
    answer.headers["content-security-policy"] = policy
    answer.headers["vary"] = "accept"
    return answer


def _send(request: Request, file: PageFile, caching: str) -> Response:
    headers = {"etag": file.etag, "cache-control": caching}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _file(path: str, content: bytes) -> PageFile:
    return PageFile(content, _MEDIA_TYPES[Path(path).suffix], f'"{_digest(content)}"')


def _digest(*contents: bytes) -> str:
    digest = sha256()
    for content in contents:
        digest.update(sha256(content).digest())
    return digest.hexdigest()[:12]


def _library_folder() -> Path:
    """Return where fastapi-offline keeps Swagger UI; found without importing it."""
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static"
