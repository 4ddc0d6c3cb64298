"""The interface's examples: requests, and what the running application answers to them.

`python docs/generate.py` writes what comes of them into service/api/examples/, one file an
operation, and the interface itself into tests/golden/openapi.json. interface_requests.py has
the requests.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from interface_requests import (
    ADMIN_KEY,
    ASKED,
    JSON,
    KEY,
    SAMPLES,
    SAY,
    TROUBLE,
    Asked,
)
from interface_values import settled, shortened

from service.api.description.document import operation_id
from service.api.description.examples import FOLDER, PROBLEMS
from service.main import create_app
from service.settings import Settings

ROOT = Path(__file__).parents[1]


@asynccontextmanager
async def talking(settings: Settings) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """An application and a client of it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://docs") as client,
    ):
        yield app, client


async def ask(client: httpx.AsyncClient, asked: Asked) -> httpx.Response:
    """Return the answer; raises AssertionError if its status is another."""
    headers = {"accept": asked.accept, **asked.headers}
    body: dict[str, Any] = {}
    if isinstance(asked.send, str):
        body["content"] = (SAMPLES / asked.send).read_bytes()
    elif isinstance(asked.send, tuple):
        body["files"] = [("file", (name, (SAMPLES / name).read_bytes())) for name in asked.send]
    elif isinstance(asked.send, dict):
        body["json"] = asked.send
    elif asked.send is not None:
        body["content"] = asked.send
    answer = await client.request(asked.method, asked.target, headers=headers, **body)
    assert answer.status_code == asked.status, (asked, answer.status_code, answer.text)
    return answer


def route_of(app: FastAPI, method: str, path: str) -> tuple[APIRoute, dict[str, str]]:
    """Return the route that answers, and the parameters in the path."""
    for route in app.routes:
        if isinstance(route, APIRoute) and method in route.methods:
            found = route.path_regex.match(path)
            if found:
                return route, found.groupdict()
    raise AssertionError(f"no route answers {method} {path}")


async def fetch_examples() -> dict[str, dict[str, Any]]:
    """Return what the files in service/api/examples/ should hold, by operation."""
    found: dict[str, dict[str, Any]] = {}
    settings = Settings(models_dir=ROOT / "models", default_model=_DEFAULTS, admin_keys=ADMIN_KEY)
    async with talking(settings) as (app, client):
        for asked in ASKED:
            answer = await ask(client, asked)
            url = httpx.URL(asked.target)
            route, in_path = route_of(app, asked.method, url.path)
            entry = found.setdefault(operation_id(route), {"parameters": {}, "answers": {}})
            for name, value in {**in_path, **_query(url)}.items():
                entry["parameters"].setdefault(name, value)
            if isinstance(asked.send, dict):
                bodies = entry.setdefault("bodies", {}).setdefault(JSON, {})
                bodies[asked.title] = asked.send
            told = _told(answer)
            if told is not None:
                entry["answers"].setdefault(asked.accept, {})[asked.title] = told
    found[PROBLEMS], not_ready = await fetch_problems()
    when = "A model that was wanted at the start is not ready, or the server is ending."
    found["readyz"]["problems"] = {"503": {"when": when, "examples": not_ready}}
    return found


_DEFAULTS = "cifar10,street,spoken_digits,silence,tempo"


def _query(url: httpx.URL) -> dict[str, Any]:
    params = url.params
    return {
        name: _typed(params[name]) if len(params.get_list(name)) == 1 else params.get_list(name)
        for name in params
    }


def _typed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _told(answer: httpx.Response) -> Any:
    """Return the example that an answer makes, or None where it is binary."""
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if media_type == "text/plain":
        return "".join(answer.text.splitlines(keepends=True)[:6])
    return shortened(answer.json()) if media_type.endswith("json") else None


async def fetch_problems() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return examples of problems by status and title, and those of readyz by title."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        shutil.copytree(ROOT / "models" / "xo", models / "xo")
        _write_broken(models / "wolves" / "1")
        found: dict[str, dict[str, Any]] = {}
        settings = Settings(
            models_dir=models,
            api_keys=KEY,
            admin_keys=ADMIN_KEY,
            max_files=2,
            max_queue=1,
            body_timeout_s=0.05,
        )
        async with talking(settings) as (_, client):
            client.headers["x-api-key"] = ADMIN_KEY
            for asked in TROUBLE:
                answer = await ask(client, asked)
                slot = found.setdefault(_slot(asked.status), {})
                slot[asked.title] = answer.json()
            found["408"] = {"A slow client": (await _ask_slowly(client)).json()}
            found["503"]["A full queue"] = (await _ask_too_often(client)).json()
            not_ready = (await client.get("/readyz")).json()
    return found, {"A model was refused": shortened(not_ready)}


def _write_broken(folder: Path) -> None:
    """Write a version that will be refused, because its card is missing."""
    shutil.copytree(ROOT / "models" / "digits" / "1", folder)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "name": folder.parent.name}))
    (folder / "CARD.md").unlink()


def _slot(status: int) -> str:
    return "4XX" if status == 405 else str(status)


async def _ask_slowly(client: httpx.AsyncClient) -> httpx.Response:
    async def drip() -> AsyncIterator[bytes]:
        yield b"\x89"
        await asyncio.sleep(0.1)
        yield b"PNG"

    answer = await client.post(SAY, content=drip())
    assert answer.status_code == 408, answer.text
    return answer


async def _ask_too_often(client: httpx.AsyncClient) -> httpx.Response:
    picture = (SAMPLES / "x.png").read_bytes()
    answers = await asyncio.gather(*(client.post(SAY, content=picture) for _ in range(60)))
    return next(answer for answer in answers if answer.status_code == 503)


def write_examples() -> None:
    """Write the files; what differs only in how long things took stays as it was."""
    for name, entry in asyncio.run(fetch_examples()).items():
        file = FOLDER / f"{name}.json"
        old = json.loads(file.read_bytes()) if file.exists() else None
        text = json.dumps(settled(entry, old), indent=2, ensure_ascii=False)
        file.write_text(f"{text}\n")


if __name__ == "__main__":
    write_examples()
