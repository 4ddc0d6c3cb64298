import hashlib
import io

import numpy as np
import pytest
import torch

from service.codecs.image import decode_image
from service.contract.frame import frame_of
from service.contract.manifest import Manifest, audio_spec, image_spec
from service.contract.masks import restore_mask, restore_probability
from tests.api.client import Client
from tests.parity.bundled import (
    DATA,
    MODELS,
    NAMES,
    folder_of,
    golden_files,
    manifest_of,
    model_input,
    rebuild,
)
from training.data.layouts import LIMITS
from training.data.rhythms import RHYTHMS
from training.data.splits import STROKES
from training.deployed import module_outputs
from training.judges import JUDGES
from training.parity import check_parity, pytorch_outputs
from training.recipe import load_recipe
from training.taps import relative_error
from training.tasks import TASKS

DATASETS = {
    "digits": "mnist",
    "cifar10": "cifar10",
    "flowers": "flowers",
    "street": "camvid",
    "spoken_digits": "fsdd",
    "genre": "gtzan_clips",
    "tempo": RHYTHMS,
    "xo": STROKES,
}
DRAWN = (RHYTHMS, STROKES)
PROVEN = {
    "image-classification": 1_000,
    "image-segmentation": 100,
    "audio-classification": 200,
    "audio-regression": 200,
}


def test_every_promised_model_is_bundled() -> None:
    """Every promised model is there, and the table of data sets below knows it."""
    assert set(NAMES) == {*DATASETS, "silence"}


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
    file = golden_files(manifest)[0]
    inputs = model_input(manifest, file)
    deployed = rebuild(manifest)
    hooked = module_outputs(deployed, torch.from_numpy(inputs[None]))

    assert hooked
    for path in hooked:
        answer = client.post(
            f"/v1/models/{name}/feature-maps?layer={path}",
            content=file,
            headers={"accept": "application/x-npy"},
        )
        assert answer.status_code == 200, (path, answer.text)
        values = np.load(io.BytesIO(answer.content))
        assert relative_error(values, hooked[path][0].numpy()) <= deployed.largest_tap_error, path


@pytest.mark.parametrize("name", NAMES)
def test_manifest_tells_the_truth_about_every_tap(client: Client, name: str) -> None:
    """Each listed tap can be fetched and has the shape that the manifest gives it."""
    manifest = manifest_of(name)
    file = golden_files(manifest)[0]
    for tap in manifest.graph.taps:
        answer = client.post(
            f"/v1/models/{name}/feature-maps",
            params={"layer": tap.name},
            content=file,
            headers={"accept": "application/x-npy"},
        )
        assert answer.status_code == 200, (tap.name, answer.text)
        shape = np.load(io.BytesIO(answer.content)).shape
        assert len(shape) == len(tap.shape)
        assert all(told in (None, size) for told, size in zip(tap.shape, shape, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_answers_over_http_are_pytorchs(client: Client, name: str) -> None:
    """What is answered to a picture or a sound is what the net says of it in PyTorch."""
    manifest = manifest_of(name)
    deployed = rebuild(manifest)
    for file in golden_files(manifest):
        outputs = pytorch_outputs(deployed, model_input(manifest, file)[None])
        EXPECT[manifest.task](client, manifest, file, outputs)


def expect_class(
    client: Client, manifest: Manifest, file: bytes, outputs: dict[str, np.ndarray]
) -> None:
    answer = client.post(
        f"/v1/models/{manifest.name}/classify?top_k={len(manifest.labels)}", content=file
    )
    got = {row["class_index"]: row["probability"] for row in answer.json()["predictions"]}
    ours = np.array([got[i] for i in range(len(manifest.labels))])
    assert np.abs(ours - outputs["probabilities"][0]).max() <= 1e-4


def expect_mask(
    client: Client, manifest: Manifest, picture: bytes, outputs: dict[str, np.ndarray]
) -> None:
    pixels = decode_image(picture, LIMITS)
    frame = frame_of((pixels.shape[0], pixels.shape[1]), image_spec(manifest))
    mask, probabilities = outputs["mask"][0], outputs["probabilities"][0]
    wrong = segment(client, manifest, picture) != restore_mask(mask, list(probabilities), frame)
    assert wrong.shape == pixels.shape[:2]
    assert wrong.mean() <= 1e-3  # at a tie the last bit decides
    for class_index, probability in enumerate(probabilities):
        query = f"?render=probability&class_index={class_index}"
        ours = segment(client, manifest, picture, query)
        assert np.abs(ours - restore_probability(probability, frame)).max() <= 1e-4


def segment(client: Client, manifest: Manifest, picture: bytes, query: str = "") -> np.ndarray:
    answer = client.post(
        f"/v1/models/{manifest.name}/segment{query}",
        content=picture,
        headers={"accept": "application/x-npy"},
    )
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def expect_spans(
    client: Client, manifest: Manifest, file: bytes, outputs: dict[str, np.ndarray]
) -> None:
    answer = client.post(f"/v1/models/{manifest.name}/segment", content=file).json()
    (mask,), spec = outputs["mask"], audio_spec(manifest)
    seen_later_s = (spec.window_samples - spec.hop_samples) / 2 / spec.sample_rate_hz
    middles_s = (np.arange(len(mask)) + 0.5) * answer["frame_s"] + seen_later_s
    ends_s = [span["end_s"] for span in answer["segments"]]
    classes = np.array([span["class_index"] for span in answer["segments"]])
    assert (classes[np.searchsorted(ends_s, middles_s)] != mask).mean() <= 1e-3


def expect_values(
    client: Client, manifest: Manifest, file: bytes, outputs: dict[str, np.ndarray]
) -> None:
    answer = client.post(f"/v1/models/{manifest.name}/measure", content=file).json()
    assert [row["name"] for row in answer["values"]] == list(manifest.labels)
    ours = np.array([row["value"] for row in answer["values"]])
    np.testing.assert_allclose(ours, outputs["values"][0], rtol=1e-3)


EXPECT = {
    "image-classification": expect_class,
    "image-segmentation": expect_mask,
    "audio-classification": expect_class,
    "audio-segmentation": expect_spans,
    "audio-regression": expect_values,
}


@pytest.mark.parametrize("name", [name for name in NAMES if manifest_of(name).task in JUDGES])
def test_real_inputs_get_the_same_class_as_in_pytorch(name: str) -> None:
    """On 1,000 test pictures, at every pixel of 100, or on 200 windows of sounds.

    The same class, and probabilities within 1e-4; or values within a thousandth.
    """
    source = DATASETS[name]
    if source not in DRAWN and not (DATA / source).is_dir():
        pytest.skip(f"the data set {source} is not at {DATA}; set CONVSCOPE_TEST_DATA")
    manifest = manifest_of(name)
    judge = JUDGES[manifest.task]
    dataset = TASKS[manifest.task].open(source if source in DRAWN else str(DATA / source))
    inputs = judge.proof(dataset.splits["test"], manifest.preprocessing)
    graph = folder_of(manifest) / manifest.graph.file.path
    parity = check_parity(graph, rebuild(manifest), inputs, judge.batch_sizes)

    assert parity.images >= PROVEN[manifest.task]
    if parity.max_value_difference is not None:
        assert parity.max_value_difference <= 1e-3
        return
    assert parity.max_probability_difference is not None
    assert parity.max_probability_difference <= 1e-4
    assert parity.same_argmax is not None
    assert parity.same_argmax >= (1 - 1e-5) * (parity.decisions or parity.images)
