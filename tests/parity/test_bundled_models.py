import hashlib
import io

import numpy as np
import pytest
import torch

from service.codecs.image import encode_png
from service.device import ON_CPU
from service.runtime import open_session
from tests.api.client import Client
from tests.parity.bundled import (
    DATA,
    MODELS,
    NAMES,
    folder_of,
    golden_inputs,
    manifest_of,
    rebuild,
)
from training.data.splits import STROKES, open_dataset
from training.deployed import module_outputs
from training.export import some
from training.recipe import load_recipe
from training.taps import relative_error

DATASETS = {"digits": "mnist", "cifar10": "cifar10", "flowers": "flowers", "xo": STROKES}


def test_the_four_models_are_bundled() -> None:
    """Every promised model is there, and the table of data sets below knows it."""
    assert set(NAMES) == set(DATASETS)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_model_was_made_by_the_bundled_recipe(name: str) -> None:
    """The recipe that a card names is, to the letter, the one that the model was trained by."""
    provenance = manifest_of(name).provenance
    _, text = load_recipe(provenance.recipe)

    assert provenance.recipe_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_bundled_models_stay_small() -> None:
    """All of models/ is under 60 MB, so that a clone stays quick."""
    assert sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) < 60e6


def test_every_bundled_model_is_ready(client: Client) -> None:
    """Each one keeps the contract and reproduces its golden outputs here."""
    answer = client.get("/readyz")

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", NAMES)
def test_feature_maps_are_what_a_forward_hook_sees(client: Client, name: str) -> None:
    """Over HTTP, every module of the net shows the tensor that PyTorch computes there."""
    manifest = manifest_of(name)
    picture = golden_inputs(manifest)[:1]
    deployed = rebuild(manifest)
    hooked = module_outputs(deployed, torch.from_numpy(picture))

    modules = [path for path, _ in deployed.net.named_modules() if path]
    assert modules
    for path in modules:
        answer = client.post(
            f"/v1/models/{name}/feature-maps?layer={path}",
            content=encode_png(picture[0]),
            headers={"accept": "application/x-npy"},
        )
        assert answer.status_code == 200, (path, answer.text)
        values = np.load(io.BytesIO(answer.content))
        assert relative_error(values, hooked[path][0].numpy()) <= 1e-5, path


@pytest.mark.parametrize("name", NAMES)
def test_manifest_tells_the_truth_about_every_tap(client: Client, name: str) -> None:
    """Each listed tap can be fetched and has the shape that the manifest gives it."""
    manifest = manifest_of(name)
    picture = encode_png(golden_inputs(manifest)[0])
    for tap in manifest.graph.taps:
        answer = client.post(
            f"/v1/models/{name}/feature-maps",
            params={"layer": tap.name},
            content=picture,
            headers={"accept": "application/x-npy"},
        )
        assert answer.status_code == 200, (tap.name, answer.text)
        assert np.load(io.BytesIO(answer.content)).shape == tap.shape


@pytest.mark.parametrize("name", NAMES)
def test_answers_over_http_are_pytorchs(client: Client, name: str) -> None:
    """The probabilities posted back for a picture are those of the net in PyTorch."""
    manifest = manifest_of(name)
    pictures = golden_inputs(manifest)
    with torch.inference_mode():
        expected, _ = rebuild(manifest)(torch.from_numpy(pictures))

    for picture, probabilities in zip(pictures, expected.numpy(), strict=True):
        answer = client.post(
            f"/v1/models/{name}/classify?top_k={len(manifest.labels)}", content=encode_png(picture)
        )
        got = {row["class_index"]: row["probability"] for row in answer.json()["predictions"]}
        ours = np.array([got[i] for i in range(len(manifest.labels))])
        assert np.abs(ours - probabilities).max() <= 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_thousand_real_pictures_get_the_same_class_as_in_pytorch(name: str) -> None:
    """On 1,000 test pictures, at batch 1 and 64: same argmax, probabilities within 1e-4."""
    source = DATASETS[name]
    if source != STROKES and not (DATA / source).is_dir():
        pytest.skip(f"the data set {source} is not at {DATA}; set CONVSCOPE_TEST_DATA")
    manifest = manifest_of(name)
    dataset = open_dataset(source if source == STROKES else str(DATA / source))
    inputs = some(dataset.splits["test"], 1_000).model_inputs(manifest.preprocessing)
    deployed = rebuild(manifest)
    with torch.inference_mode():
        parts = [deployed(part)[0] for part in torch.from_numpy(inputs).split(100)]
    expected = torch.cat(parts).numpy()
    graph = folder_of(manifest) / manifest.graph.file.path
    session = open_session(graph, str(graph), ON_CPU)

    for batch in (1, 64):
        ours = np.concatenate(
            [
                session.run({"images": inputs[i : i + batch]})["probabilities"]
                for i in range(0, len(inputs), batch)
            ]
        )
        assert len(ours) == 1_000
        assert (ours.argmax(1) == expected.argmax(1)).all()
        assert np.abs(ours - expected).max() <= 1e-4
