"""Model events while the server is busy: what operators do to a repository, right and wrong."""

import asyncio
import hashlib
import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.chaos.letter import ANSWERED, letter
from bench.chaos.pool import Pool
from bench.chaos.server import ADMIN_KEY

_KEY = {"X-Api-Key": ADMIN_KEY}
_NAME = "digits"
_OTHERS = ("xo", "cifar10", "flowers")
# How long another model is away: long enough for requests to come that find it gone.
_AWAY_S = 0.3


class ModelEvents:
    """Changes what a server serves, and holds what it says of that against what was done.

    models: the folder that it serves.
    complaints: where the two differ.
    """

    def __init__(self, models: Path, pool: Pool, dice: random.Random) -> None:
        self.done = 0
        self.complaints: list[str] = []
        self._home = models / _NAME
        self._pool = pool
        self._dice = dice
        self._version = 1

    async def run(self, seconds: float, every_s: float) -> None:
        """Have one event after another, with a pause between them.

        The last round goes to its end even if that is later, for what is served before and
        after must be comparable: one version of every model.
        """
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for event in (self._push, self._spoil, self._retire, self._touch, self._put_to_rest):
                await event()
                self.done += 1
                await asyncio.sleep(every_s if time.perf_counter() < end else 0)

    async def renew(self) -> None:
        """Load every model anew, so that none remembers what was asked of it."""
        for name, version in [(_NAME, self._version), *((other, 1) for other in _OTHERS)]:
            await self._expect(f"/v1/models/{name}/unload", unloaded=[f"{name}/{version}"])
            await self._expect(f"/v1/models/{name}/load", loaded=[f"{name}/{version}"])

    async def _push(self) -> None:
        """A new version appears in one step, as it should."""
        self._version += 1
        self._copy(self._version)
        await self._expect("/v1/models:rescan", loaded=[self._shown(self._version)])
        served = await self._served_version()
        if served != self._version:
            self.complaints.append(f"version {self._version} was pushed, {served} answers")

    async def _spoil(self) -> None:
        """A version that breaks the contract appears, is refused, and goes again."""
        broken = self._version + 1
        self._copy(broken, self._dice.choice([_flip_a_byte, _cut_and_sign, _cut_manifest]))
        await self._expect("/v1/models:rescan", refused=[self._shown(broken)])
        served = await self._served_version()
        if served != self._version:
            self.complaints.append(f"{broken} is broken, yet {served} answers")
        self._remove(broken)
        await self._expect("/v1/models:rescan")

    async def _retire(self) -> None:
        """The old version goes: unloaded first, or its folder is just removed."""
        old = self._version - 1
        if self._dice.random() < 0.5:
            path = f"/v1/models/{_NAME}/unload?version={old}"
            await self._expect(path, unloaded=[self._shown(old)])
            self._remove(old)
            await self._expect("/v1/models:rescan")
        else:
            self._remove(old)
            await self._expect("/v1/models:rescan", unloaded=[self._shown(old)])

    async def _touch(self) -> None:
        """A file of the version that is served changes, so it is loaded anew."""
        (self._home / str(self._version) / "CARD.md").touch()
        await self._expect("/v1/models:rescan", loaded=[self._shown(self._version)])

    async def _put_to_rest(self) -> None:
        """Another model is unloaded for a moment."""
        name = self._dice.choice(_OTHERS)
        await self._expect(f"/v1/models/{name}/unload", unloaded=[f"{name}/1"])
        await asyncio.sleep(_AWAY_S)
        await self._expect(f"/v1/models/{name}/load", loaded=[f"{name}/1"])

    async def _expect(self, path: str, **changes: list[str]) -> None:
        """Ask for a change and note if anything else came of it."""
        asked = letter("admin", path, b"", _KEY, fine={200})
        _, reply = await self._pool.exchange(asked, time.perf_counter())
        body: Any = json.loads(reply.body) if reply else {}
        told = {what: body.get(what) for what in ("loaded", "unloaded", "refused")}
        wanted = {what: changes.get(what, []) for what in told}
        if told != wanted:
            self.complaints.append(f"{path}: wanted {wanted}, was told {told}")

    async def _served_version(self) -> int | None:
        asked = letter("model", f"/v1/models/{_NAME}", fine=ANSWERED)
        _, reply = await self._pool.exchange(asked, time.perf_counter())
        return json.loads(reply.body).get("served_version") if reply else None

    def _shown(self, version: int) -> str:
        return f"{_NAME}/{version}"

    def _copy(self, version: int, spoil: Callable[[Path], None] | None = None) -> None:
        """Copy the version that is served under a hidden name, then give it its own."""
        hidden = self._home / ".incoming"
        shutil.copytree(self._home / str(self._version_there()), hidden)
        manifest = hidden / "manifest.json"
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": version}))
        if spoil:
            spoil(hidden)
        hidden.rename(self._home / str(version))

    def _version_there(self) -> int:
        return max(int(folder.name) for folder in self._home.iterdir() if folder.name.isdigit())

    def _remove(self, version: int) -> None:
        """Take the version's folder out of sight in one step, then delete it."""
        gone = (self._home / str(version)).rename(self._home / ".outgoing")
        shutil.rmtree(gone)


def _flip_a_byte(folder: Path) -> None:
    """A transfer that went wrong: the digest does not fit."""
    file = folder / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _cut_and_sign(folder: Path) -> None:
    """An export that went wrong: the digest fits, but there is no graph in the file."""
    file = folder / "model.onnx"
    file.write_bytes(file.read_bytes()[:100_000])
    manifest = json.loads((folder / "manifest.json").read_text())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest["graphs"][0]["file"]["sha256"] = digest
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _cut_manifest(folder: Path) -> None:
    """A disk that was full: half of a manifest."""
    file = folder / "manifest.json"
    file.write_text(file.read_text()[:200])
