"""What no good client sends, and what each must be told."""

import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from bench.chaos.benign import Group
from bench.chaos.letter import Letter, form, letter, raw
from bench.chaos.pictures import pictures
from tests.pictures import bomb, flat, nothing_by_nothing

_MB = 1_000_000
_FLOOD_MB = 300
_MODEL = "/v1/models/cifar10"
_CLASSIFY, _MAPS = f"{_MODEL}/classify", f"{_MODEL}/feature-maps"
_LAYER = "layer=preprocess/Cast"
# Where there is no room, nobody looks at what was sent.
_BUSY = 503
# What is no request may be told anything that blames the client.
_BLAMED = range(400, 500)


def hostile_groups() -> list[Group]:
    """Return the bad traffic, by what is wrong with it."""
    return [Group(4, _bodies()), Group(2, _forms()), Group(3, _questions()), Group(2, _noise())]


def flood() -> Letter:
    """Return the head of a request of 300 MB, which `flood_body` really brings."""
    return _announcing("300 MB, sent", {})


async def flood_body() -> AsyncIterator[bytes]:
    """Yield as many bytes as the flood announces."""
    block = bytes(_MB)
    for _ in range(_FLOOD_MB):
        yield block


def _bad(
    kind: str,
    path: str,
    status: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
) -> Letter:
    return letter(kind, path, body, headers, {status, _BUSY}, method)


def _bodies() -> list[Letter]:
    """Pictures that are none, or too much of one."""
    photo, drawing = pictures()["flowers"][0], pictures()["xo"][0]
    huge = bomb()
    return [
        _bad("empty body", _CLASSIFY, 400, b""),
        _bad("truncated JPEG", _CLASSIFY, 422, photo[: len(photo) // 2]),
        _bad("truncated PNG", _CLASSIFY, 422, drawing[:50]),
        _bad("text", _CLASSIFY, 415, b"To whom it may concern: this is no picture."),
        _bad("random bytes", _CLASSIFY, 415, random.Random(0).randbytes(5_000)),
        _bad("0 x 0 pixels", _CLASSIFY, 422, nothing_by_nothing()),
        _bad("900 million pixels", _CLASSIFY, 413, huge),
        _bad("900 million pixels", f"{_MAPS}?{_LAYER}", 413, huge),
        replace(_announcing("300 MB, announced", {"Expect": "100-continue"}), alone=True),
    ]


def _forms() -> list[Letter]:
    good, headers = form([flat("red")])
    nameless, _ = form([flat("red")], field="picture")
    crowd, _ = form([b"x"] * 65)
    two, _ = form([flat("red"), flat("red")])
    kind = "broken form"
    return [
        _bad(kind, _CLASSIFY, 400, good[: len(good) // 2], headers),
        _bad(kind, _CLASSIFY, 400, good[50:], headers),
        _bad(kind, _CLASSIFY, 400, good, {"Content-Type": "multipart/form-data"}),
        _bad(kind, _CLASSIFY, 400, good, {"Content-Type": "multipart/form-data; boundary=else"}),
        _bad(kind, _CLASSIFY, 422, nameless, headers),
        _bad(kind, _CLASSIFY, 413, crowd, headers),
        _bad(kind, f"{_MAPS}?{_LAYER}", 422, two, headers),
    ]


def _questions() -> list[Letter]:
    """Good HTTP that asks for what is not here, or may not be asked."""
    picture = flat("red")

    def posted(kind: str, path: str, status: int, **headers: str) -> Letter:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return _bad(kind, path, status, picture, named)

    return [
        posted("unknown model", "/v1/models/nobody/classify", 404),
        posted("unknown model", "/v1/models/..%2F..%2Fetc/classify", 404),
        posted("unknown model", f"/v1/models/{'x' * 5_000}/classify", 404),
        posted("unknown version", f"{_CLASSIFY}?version=999999", 404),
        posted("unknown layer", f"{_MAPS}?layer=nothing", 404),
        posted("bad parameter", f"{_CLASSIFY}?top_k=0", 422),
        posted("bad parameter", f"{_CLASSIFY}?top_k=many", 422),
        posted("bad parameter", f"{_CLASSIFY}?version=-1", 422),
        posted("bad parameter", _MAPS, 422),
        posted("bad parameter", f"{_MAPS}?{_LAYER}&channels=9-1,x", 422),
        posted("bad parameter", f"{_MAPS}?{_LAYER}&channels=999999", 422),
        posted("bad parameter", "/v1/classify", 422),
        posted("bad parameter", _CLASSIFY, 422, x_request_timeout_ms="soon"),
        posted("bad parameter", _CLASSIFY, 422, x_request_timeout_ms="nan"),
        posted("not to be had so", f"{_MAPS}?{_LAYER}", 406, accept="text/html"),
        posted("no key", f"{_MODEL}/unload", 401),
        posted("wrong key", "/v1/models:rescan", 401, x_api_key="not-the-key-at-all"),
        _bad("wrong method", _CLASSIFY, 405),
        _bad("wrong method", "/metrics", 405, b"", method="DELETE"),
        _bad("unknown path", "/v2/%00%ff", 404),
    ]


def _noise() -> list[Letter]:
    """Bytes that are hardly HTTP or none at all, each on a connection of its own."""
    dice = random.Random(1)
    start = f"POST {_CLASSIFY} HTTP/1.1\r\nHost: x\r\n".encode()
    line = b"X-Much: " + b"y" * 8_000 + b"\r\n"
    return [
        raw("giant head", start + line * 12 + b"\r\n", {431}),
        raw("giant head", b"GET /" + b"z" * 200_000 + b" HTTP/1.1\r\n\r\n", {431, *_BLAMED}),
        raw("giant head", start + b"a: b\r\n" * 20_000 + b"\r\n", {431}),
        raw("half a head, then silence", start + b"X-Half", {408}),
        raw("garbage", dice.randbytes(3_000), _BLAMED),
        raw("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), _BLAMED),
        raw("garbage", b"HELO mail.example.org\r\n", _BLAMED),
        raw("garbage", b"GET / HTTP/9.9\r\n\r\n", _BLAMED),
        raw("bad framing", start + b"Content-Length: -1\r\n\r\n", _BLAMED),
        raw("bad framing", start + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", _BLAMED),
        raw("bad framing", start + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx", _BLAMED),
        raw(
            "bad framing",
            start + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            _BLAMED,
        ),
    ]


def _announcing(kind: str, headers: Mapping[str, str]) -> Letter:
    """Return a request without the body that its head announces."""
    empty = _bad(kind, _CLASSIFY, 413, b"", headers)
    announced = b"Content-Length: %d" % (_FLOOD_MB * _MB)
    return replace(empty, after=empty.after.replace(b"Content-Length: 0", announced))
