"""Writes the generated parts of the documentation: tables, pictures, examples of the interface.

    python docs/generate.py

Everything comes from the program itself: settings from their definition, figures from the
bundled models' manifests, pictures from the running application.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import interface
import interface_commands
import interface_snapshot
import numpy as np
from PIL import Image
from pydantic_core import PydanticUndefined

from service.contract.manifest import Manifest, read_manifest
from service.main import create_app
from service.settings import ENV_PREFIX, Settings, is_secret

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "docs" / "samples"
PICTURES = ROOT / "docs" / "pictures"
SNAPSHOT = ROOT / "tests" / "golden" / "openapi.json"
# The published 9x9 picture of an X: two diagonals that leave a border of one pixel.
PUBLISHED_X = np.array(
    [[255 * (0 < i < 8 and j in (i, 8 - i)) for j in range(9)] for i in range(9)]
)
FEATURE_MAPS = {
    "cat-layer1.png": ("flowers", "cat.jpg", "layer=layer1&channels=0-8"),
    "cat-whiten.png": ("cifar10", "cat.jpg", "layer=whiten"),
    "xo-conv.png": ("xo", "x.png", "layer=conv"),
    "digits-envelope.png": ("silence", "digits.flac", "layer=envelope"),
    "cat-layers.png": ("flowers", "cat.jpg", "layer=*"),
    "temple-cell.png": ("street", "temple.jpg", "layer=encoder.layer3.1&cell=30,22"),
}
KERNELS = {"flowers-kernels.png": "flowers"}


OVERLAYS = {"temple-overlay.png": ("street", "temple.jpg")}
STABILITIES = {"cat-stability.png": ("cifar10", "cat.jpg")}
EXPLANATIONS = {
    "cat-why.png": ("cifar10", "cat.jpg"),
    "seven-why.png": ("spoken_digits", "seven.flac"),
}


def settings_table() -> str:
    """Return the settings as a Markdown table."""
    lines = ["| flag | environment | default | what |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        flag = "none" if is_secret(name) else f"`--{name.replace('_', '-')}`"
        default = field.default
        assert default is not PydanticUndefined
        shown = "none" if default is None else f"`{default}`"
        # code hosts would take <name> for a tag
        what = (field.description or "").replace("<", "\\<")
        lines.append(f"| {flag} | `{ENV_PREFIX}{name.upper()}` | {shown} | {what} |")
    return "\n".join(lines)


def bundled_manifests() -> list[Manifest]:
    """Return the manifests of the bundled models, by name."""
    folders = sorted(file.parent for file in (ROOT / "models").glob("*/*/manifest.json"))
    return [read_manifest(folder) for folder in folders]


def _things(manifest: Manifest) -> str:
    return "pictures" if manifest.preprocessing.kind == "image" else "sounds"


def figures_table() -> str:
    """Return the main figure of every bundled model on its test split as a Markdown table."""
    lines = [
        "| model | net | test set | figure | in the box (95 % interval) | runs | mean ± spread |",
        "|---|---|---|---|---|---|---|",
    ]
    for manifest in bundled_manifests():
        metric = manifest.metrics[0]
        low, high = metric.interval
        mean = "" if metric.mean is None else f"{metric.mean:.2%} ± {metric.spread:.2%}"
        lines.append(
            f"| [{manifest.name}](models/{manifest.name}/{manifest.version}/CARD.md) "
            f"| {manifest.provenance.recipe} "
            f"| {metric.dataset}, {metric.images:,} {_things(manifest)} | {metric.name} "
            f"| {metric.value:.2%} ({low:.2%} to {high:.2%}) | {metric.runs} | {mean} |"
        )
    return "\n".join(lines)


def between_markers(text: str, marker: str, content: str) -> str:
    """Return the text with what stands between the two markers replaced."""
    begin, end = f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    found, count = pattern.subn(lambda _: f"{begin}\n{content}\n{end}", text)
    assert count == 1, f"marker {marker} must stand exactly once"
    return found


def answer_line(answer: dict[str, Any]) -> str:
    """Return the answer to the first picture as one sentence; other machines differ after it."""
    said = [f"{row['label']} {row['probability']:.0%}" for row in answer["predictions"]]
    return f"It answers: {', '.join(said)}."


def generated_documents(answer: dict[str, Any]) -> dict[Path, str]:
    """Return the documents with generated parts, as they should read."""
    readme, operate = ROOT / "README.md", ROOT / "docs" / "operate.md"
    text = between_markers(readme.read_text(), "figures", figures_table())
    commands = ROOT / "docs" / "commands.md"
    return {
        readme: between_markers(text, "answer", answer_line(answer)),
        operate: between_markers(operate.read_text(), "settings", settings_table()),
        commands: between_markers(
            commands.read_text(), "commands", interface_commands.commands_told()
        ),
    }


@asynccontextmanager
async def application() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with the bundled models."""
    app = create_app(Settings(models_dir=ROOT / "models"))
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://docs") as client,
    ):
        yield client


async def post(client: httpx.AsyncClient, path: str, sample: str, **how: Any) -> httpx.Response:
    """Post a sample picture; raises if it is not answered with 200."""
    answer = await client.post(path, content=(SAMPLES / sample).read_bytes(), **how)
    return answer.raise_for_status()


async def fetch_answer() -> dict[str, Any]:
    """Return what the README's first picture is answered."""
    async with application() as client:
        answer = await post(client, "/v1/models/cifar10/classify?top_k=3", "cat.jpg")
        found: dict[str, Any] = answer.json()
        return found


async def fetch_pictures() -> dict[str, bytes]:
    """Return the documentation's pictures as the application answers them."""
    as_png = {"accept": "image/png"}
    async with application() as client:
        maps = {
            name: (await post(client, f"/v1/models/{model}/feature-maps?{query}", sample)).content
            for name, (model, sample, query) in FEATURE_MAPS.items()
        }
        overlays = {}
        for name, (model, sample) in OVERLAYS.items():
            path = f"/v1/models/{model}/segment?render=overlay"
            overlays[name] = (await post(client, path, sample, headers=as_png)).content
        stabilities = {
            name: (await post(client, f"/v1/models/{model}/stability", sample)).content
            for name, (model, sample) in STABILITIES.items()
        }
        kernels = {}
        for name, model in KERNELS.items():
            answer = await client.get(f"/v1/models/{model}/kernels", headers=as_png)
            kernels[name] = answer.raise_for_status().content
        reasons = {
            name: (await post(client, f"/v1/models/{model}/explain", sample)).content
            for name, (model, sample) in EXPLANATIONS.items()
        }
        return maps | overlays | stabilities | kernels | reasons


def main() -> None:
    """Write every generated part."""
    Image.fromarray(PUBLISHED_X.astype(np.uint8)).save(SAMPLES / "x.png")
    for file, text in generated_documents(asyncio.run(fetch_answer())).items():
        file.write_text(text)
    PICTURES.mkdir(exist_ok=True)
    for name, content in asyncio.run(fetch_pictures()).items():
        (PICTURES / name).write_bytes(content)
    interface.write_examples()
    SNAPSHOT.write_text(interface_snapshot.written())


if __name__ == "__main__":
    main()
