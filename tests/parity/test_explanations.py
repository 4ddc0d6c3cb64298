"""Explanations of the bundled models, against PyTorch with its gradients and known truths."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from service.codecs.image import encode_png
from service.contract.manifest import image_spec
from tests.api.client import Client
from tests.parity.bundled import (
    folder_of,
    golden_files,
    golden_inputs,
    manifest_of,
    rebuild,
)

NPY = {"accept": "application/x-npy"}
JSON = {"accept": "application/json"}
# Those whose head is global average pooling and one linear layer, and the module that is pooled.
POOLED = {"flowers": "layer4.1.relu", "spoken_digits": "resnet.layer3.0.relu"}


def grad_cam(name: str, item: np.ndarray, class_index: int) -> np.ndarray:
    """Return Grad-CAM (H, W) of the pooled layer, by automatic differentiation in PyTorch."""
    deployed = rebuild(manifest_of(name)).eval()
    seen: list[torch.Tensor] = []
    module = dict(deployed.net.named_modules())[POOLED[name]]
    module.register_forward_hook(lambda _, __, output: seen.append(output))
    inputs = torch.from_numpy(item[None].copy())
    score = deployed(inputs)[deployed.roles.index("logits")][0, class_index]
    maps = seen[-1]
    (gradient,) = torch.autograd.grad(score, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1)[0].detach().numpy()


def stretched(values: np.ndarray) -> np.ndarray:
    """Return what is above zero, as shares of the largest value."""
    above = np.maximum(values.astype(np.float64), 0)
    return above / max(above.max(), 1e-12)


@pytest.mark.parametrize("name", list(POOLED))
def test_cam_is_grad_cam_where_the_head_is_pooling_and_linear(client: Client, name: str) -> None:
    """To 1e-4 of the largest value, for several inputs and every class."""
    manifest = manifest_of(name)
    for item, file in list(zip(golden_inputs(manifest), golden_files(manifest), strict=True))[:3]:
        for class_index in range(len(manifest.labels)):
            path = f"/v1/models/{name}/explain?method=cam&class_index={class_index}"
            answer = client.post(path, content=file, headers=NPY)
            values = np.load(io.BytesIO(answer.content))
            expected = grad_cam(name, item, class_index)
            assert values.shape == expected.shape
            np.testing.assert_allclose(stretched(values), stretched(expected), atol=1e-4)


@pytest.mark.parametrize("name", list(POOLED))
def test_ablation_cam_is_cam_where_the_head_is_pooling_and_linear(
    client: Client, name: str
) -> None:
    """Silencing a channel takes away its weight times its mean, which is worked out here too."""
    manifest = manifest_of(name)
    file = golden_files(manifest)[0]
    path = f"/v1/models/{name}"
    tap = client.get(f"{path}/explain").json()["methods"][0]["default_layer"]
    maps = np.load(
        io.BytesIO(
            client.post(f"{path}/feature-maps?layer={tap}", content=file, headers=NPY).content
        )
    ).astype(np.float64)
    told = client.post(f"{path}/explain?method=ablation-cam", content=file, headers=JSON).json()
    deployed = rebuild(manifest).eval()
    weights = next(
        value for key, value in deployed.net.state_dict().items() if key.endswith("fc.weight")
    )[told["class_index"]].numpy()
    with torch.no_grad():
        answers = deployed(torch.from_numpy(golden_inputs(manifest)[:1].copy()))
    score = float(answers[deployed.roles.index("logits")][0, told["class_index"]])
    falls = weights * maps.mean(axis=(1, 2)) / abs(score)
    expected = np.tensordot(falls, maps, axes=1)
    answer = client.post(f"{path}/explain?method=ablation-cam", content=file, headers=NPY)
    values = np.load(io.BytesIO(answer.content))
    np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def pasted(picture: np.ndarray, corner: tuple[int, int], ground: np.ndarray) -> np.ndarray:
    """Return a canvas of that colour with the picture on it, at half its size."""
    height, width, _ = picture.shape
    canvas = np.empty_like(picture)
    canvas[:] = ground
    small = Image.fromarray(picture).resize((width // 2, height // 2), Image.Resampling.BILINEAR)
    top, left = corner
    canvas[top : top + height // 2, left : left + width // 2] = np.asarray(small)
    return canvas


@pytest.mark.parametrize("method", ["ablation-cam", "score-cam"])
def test_strongest_cell_is_at_the_object_on_blank_ground(client: Client, method: str) -> None:
    """In 95 of 100 pictures of flowers where the truth is known, and the model sees it."""
    name = "flowers"
    manifest = manifest_of(name)
    spec = image_spec(manifest)
    side, ground = spec.height, np.rint(np.array(spec.mean) * 255)
    half, hits = side // 2, []
    with np.load(folder_of(manifest) / manifest.golden.file.path) as archive:
        likeliest = archive["output.probabilities"].argmax(axis=1).tolist()
    layer = client.get(f"/v1/models/{name}/explain").json()["methods"][0]["default_layer"]
    rows = client.get(f"/v1/models/{name}/layers").json()["layers"]
    reach = next(row["jump"][0] for row in rows if row["name"] == layer) / 2
    path = f"/v1/models/{name}/explain?method={method}"
    for picture, truth in zip(golden_inputs(manifest), likeliest, strict=True):
        for top, left in ((0, 0), (0, half), (half, 0), (half, half), (half // 2, half // 2)):
            file = encode_png(pasted(picture, (top, left), ground))
            told = client.post(path, content=file, headers=JSON).json()
            if told["class_index"] == truth:
                peak = told["peak"] or {"x": np.inf, "y": np.inf}
                down, along = peak["y"] - top, peak["x"] - left
                hits.append(max(abs(down - half / 2), abs(along - half / 2)) < half / 2 + reach)
    assert len(hits) >= 15
    assert np.mean(hits) >= 0.95
