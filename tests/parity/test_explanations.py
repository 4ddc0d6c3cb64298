"""Explanations of the bundled models, against PyTorch with its gradients and known truths."""

import io

import numpy as np
import pytest
import torch

from tests.api.client import Client
from tests.parity.bundled import golden_files, golden_inputs, manifest_of, rebuild

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
