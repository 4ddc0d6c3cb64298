"""Everything that a good client may ask of the bundled models."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from bench.chaos.letter import ANSWERED, Letter, form, letter
from bench.chaos.pictures import pictures
from bench.chaos.server import ROOT
from service.contract.manifest import read_manifest

_FORMS = {"png": "image/png", "npy": "application/x-npy", "json": "application/json"}
# The server keeps 16 cut sub-models of each model ready; with some more layers asked for, some
# always have to go, yet what is kept weighs about the same at any time.
_LAYERS = 18
_TINY_MS = ("0.001", "1", "3", "10", "30")


class Group(NamedTuple):
    """Letters that are sent with equal chances; weight: share of all traffic, in any unit."""

    weight: float
    letters: Sequence[Letter]


def benign_groups() -> list[Group]:
    """Return the good traffic: mostly pictures to classify, raw or in forms."""
    return [
        Group(50, _raw()),
        Group(15, _forms()),
        Group(10, _feature_maps()),
        Group(4, [letter("layers", f"/v1/models/{name}/layers") for name in pictures()]),
        Group(4, [letter("models", "/v1/models")]),
        Group(2, [letter("model", f"/v1/models/{name}") for name in pictures()]),
        Group(3, [letter("metrics", "/metrics")]),
        Group(3, [letter("probes", path) for path in ("/livez", "/readyz", "/", "/openapi.json")]),
        Group(5, _hurried()),
    ]


def classify(name: str, picture: bytes, query: str = "", kind: str = "classify") -> Letter:
    """Return the letter that has the model classify the picture."""
    return letter(kind, f"/v1/models/{name}/classify{query}", picture)


def _raw() -> list[Letter]:
    plain = [classify(name, file) for name, files in pictures().items() for file in files]
    top = [classify(name, files[0], "?top_k=3") for name, files in pictures().items()]
    # A version may have been replaced and taken away.
    pinned = letter(
        "classify, pinned",
        "/v1/models/digits/classify?version=1",
        pictures()["digits"][0],
        fine=ANSWERED | {404},
    )
    return [*plain, *top, pinned]


def _forms() -> list[Letter]:
    """Forms with one to four files; some have one among them that is no picture."""
    dice = random.Random(0)
    letters = []
    for name, files in pictures().items():
        for count in (1, 2, 3, 4):
            chosen = dice.choices(files, k=count)
            if count == 4:
                chosen[2] = b"this is no picture"
            body, headers = form(chosen)
            letters.append(letter("classify, form", f"/v1/models/{name}/classify", body, headers))
    return letters


def _feature_maps() -> list[Letter]:
    """Return some layers of every model, from the first to the last, in one form each."""
    letters = []
    for name, files in pictures().items():
        taps = read_manifest(ROOT / "models" / name / "1").graph.taps
        for number, tap in enumerate(taps[:: -(-len(taps) // _LAYERS)]):
            shown_as = list(_FORMS)[number % len(_FORMS)]
            path = f"/v1/models/{name}/feature-maps?layer={tap.name}"
            headers = {"Accept": _FORMS[shown_as]}
            letters.append(letter(f"feature maps, {shown_as}", path, files[0], headers))
    return letters


def _hurried() -> list[Letter]:
    return [
        letter(
            "classify, hurried",
            f"/v1/models/{name}/classify",
            files[0],
            {"X-Request-Timeout-Ms": milliseconds},
        )
        for name, files in pictures().items()
        for milliseconds in _TINY_MS
    ]
