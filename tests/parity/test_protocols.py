"""The same file has the same numbers by every way that it can be asked about.

/v1 with the file; the Open Inference Protocol with the model's input, made outside of the server,
as JSON and as bytes, and with the file in a tensor of BYTES.
"""

import io
from pathlib import Path

import numpy as np
import pytest

from service.codecs.image import decode_image
from service.codecs.sound import SoundLimits, decode_sound
from service.contract.audible import audible
from service.contract.frame import frame_of
from service.contract.manifest import Manifest
from service.contract.masks import restore_mask, restore_probability
from service.contract.preprocess import enough_px, preprocess_image
from service.contract.windows import windows_of
from tests.api.client import Client
from tests.api.oip.asking import infer, outputs_of, sent_as_bytes, sent_as_files, tensor
from tests.parity.bundled import NAMES, manifest_of
from training.data.layouts import LIMITS

SAMPLES = Path(__file__).parents[2] / "docs" / "samples"
PICTURES = {
    "cifar10": "cat.jpg",
    "digits": "x.png",
    "flowers": "cat.jpg",
    "street": "temple.jpg",
    "xo": "x.png",
}
SOUNDS = {
    "genre": "beat.flac",
    "silence": "digits.flac",
    "spoken_digits": "seven.flac",
    "tempo": "beat.flac",
}
# A batch of another size is added up in another order.
CLOSE = 2e-6


def test_every_bundled_model_is_asked() -> None:
    """None is left out below."""
    assert {*PICTURES, *SOUNDS} == set(NAMES)


def both_ways(client: Client, manifest: Manifest, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the server says of model inputs; of the first few the same as JSON."""
    (spec,) = manifest.graph.inputs
    everything = {"parameters": {"binary_data_output": True}}
    as_bytes = outputs_of(
        infer(client, manifest.name, **sent_as_bytes(spec.name, rows, **everything))
    )
    as_json = outputs_of(
        infer(client, manifest.name, json={"inputs": [tensor(spec.name, rows[:4])], **everything})
    )
    assert list(as_bytes) == [output.name for output in manifest.graph.outputs]
    for name, values in as_bytes.items():
        np.testing.assert_allclose(as_json[name], values[:4], rtol=1e-5, atol=CLOSE)
    return as_bytes


def as_file(client: Client, manifest: Manifest, file: bytes) -> dict[str, np.ndarray]:
    (spec,) = manifest.graph.inputs
    return outputs_of(infer(client, manifest.name, **sent_as_files(spec.name, file)))


def probabilities_of(predictions: list[dict[str, float]]) -> list[float]:
    by_index = {p["class_index"]: p["probability"] for p in predictions}
    return [by_index[index] for index in range(len(by_index))]


@pytest.mark.parametrize("name", sorted(set(PICTURES) - {"street"}))
def test_picture_is_classified_alike(client: Client, name: str) -> None:
    """Probabilities and logits, to the last digits."""
    manifest, file = manifest_of(name), (SAMPLES / PICTURES[name]).read_bytes()
    spec = manifest.preprocessing
    pixels = preprocess_image(decode_image(file, LIMITS, enough_px(spec)), spec)
    said, of_file = both_ways(client, manifest, pixels[None]), as_file(client, manifest, file)
    told = client.post(f"/v1/models/{name}/classify?top_k=1000", content=file).json()

    wanted = probabilities_of(told["predictions"])
    for found in (said, of_file):
        np.testing.assert_allclose(found["probabilities"], [wanted], rtol=0, atol=CLOSE)
    np.testing.assert_allclose(of_file["logits"], said["logits"], rtol=1e-5, atol=1e-5)


def test_picture_is_segmented_alike(client: Client) -> None:
    """Brought to the picture's own size, the mask is /v1's, and so is a class's probability."""
    manifest, file = manifest_of("street"), (SAMPLES / PICTURES["street"]).read_bytes()
    picture = decode_image(file, LIMITS)
    pixels = preprocess_image(picture, manifest.preprocessing)
    said, of_file = both_ways(client, manifest, pixels[None]), as_file(client, manifest, file)
    frame = frame_of(picture.shape[:2], manifest.preprocessing)

    for found in (said, of_file):
        assert found["mask"].shape == (1, *frame.outer)
        mask = restore_mask(found["mask"][0], list(found["probabilities"][0]), frame)
        road = restore_probability(found["probabilities"][0, 3], frame)
        path = "/v1/models/street/segment?render="
        assert (array(client, f"{path}mask", file) != mask).mean() < 1e-4
        told = array(client, f"{path}probability&class_index=3", file)
        np.testing.assert_allclose(told, road, rtol=0, atol=CLOSE)


def array(client: Client, path: str, file: bytes) -> np.ndarray:
    answer = client.post(path, content=file, headers={"accept": "application/x-npy"})
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def windows(manifest: Manifest, file: bytes) -> np.ndarray:
    spec = manifest.preprocessing
    _, found = windows_of(decode_sound(file, spec.sample_rate_hz, SoundLimits()), spec)
    return np.stack(list(found))


@pytest.mark.parametrize("name", ["genre", "spoken_digits"])
def test_sound_is_classified_alike(client: Client, name: str) -> None:
    """Windows are /v1's segments, and a file is the whole."""
    manifest, file = manifest_of(name), (SAMPLES / SOUNDS[name]).read_bytes()
    rows = windows(manifest, file)
    said, of_file = both_ways(client, manifest, rows), as_file(client, manifest, file)
    told = client.post(f"/v1/models/{name}/classify?top_k=1000", content=file).json()

    wanted = probabilities_of(told["predictions"])
    np.testing.assert_allclose(of_file["probabilities"], [wanted], rtol=0, atol=CLOSE)
    assert len(told["segments"]) == len(rows)
    for row, segment, loud in zip(
        said["probabilities"], told["segments"], audible(rows), strict=True
    ):
        assert loud != segment.get("silent", False)
        if loud:
            of_window = probabilities_of(segment["predictions"])
            np.testing.assert_allclose(row, of_window, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(
        said["logits"][audible(rows)].mean(axis=0), of_file["logits"][0], rtol=1e-5, atol=1e-5
    )


def test_sound_is_segmented_alike(client: Client) -> None:
    """The frames of the windows, one after the other, are those of the file, and /v1's spans."""
    manifest, file = manifest_of("silence"), (SAMPLES / SOUNDS["silence"]).read_bytes()
    said = both_ways(client, manifest, windows(manifest, file))
    of_file = as_file(client, manifest, file)
    told = client.post("/v1/models/silence/segment?min_seconds=0", content=file).json()

    mask = of_file["mask"][0]
    assert mask.tolist() == said["mask"].reshape(-1)[: len(mask)].tolist()
    in_a_row = np.concatenate(list(said["probabilities"]), axis=1)[:, : len(mask)]
    np.testing.assert_allclose(of_file["probabilities"][0], in_a_row, rtol=0, atol=CLOSE)
    changes = np.flatnonzero(np.diff(mask)) + 1
    classes = mask[np.concatenate([[0], changes])]
    assert [span["class_index"] for span in told["segments"]] == classes.tolist()
    # the middle of the first frame is half of what a window sees beyond its hop
    spec = manifest.preprocessing
    offset = (spec.window_samples - spec.hop_samples) / 2
    borders_s = (changes * spec.hop_samples / 1000 + offset) / spec.sample_rate_hz
    starts_s = [span["start_s"] for span in told["segments"][1:]]
    np.testing.assert_allclose(starts_s, borders_s, atol=1e-6)


def test_sound_is_measured_alike(client: Client) -> None:
    """Each window has its value, and the file the middle one."""
    manifest, file = manifest_of("tempo"), (SAMPLES / SOUNDS["tempo"]).read_bytes()
    rows = windows(manifest, file)
    said, of_file = both_ways(client, manifest, rows), as_file(client, manifest, file)
    told = client.post("/v1/models/tempo/measure", content=file).json()

    (value,) = told["values"]
    np.testing.assert_allclose(of_file["values"], [[value["value"]]], rtol=1e-6)
    assert len(told["segments"]) == len(rows)
    for row, segment, loud in zip(said["values"], told["segments"], audible(rows), strict=True):
        if loud:
            np.testing.assert_allclose(row, segment["values"][0]["value"], rtol=1e-5)
