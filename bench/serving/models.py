"""Makes the nets to serve, with random weights, as complete version folders.

    python -m bench.serving.models resnet18

Speed does not depend on what a net has learnt. The folders lie in bench/.cache; delete it to
have them made again.
"""

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from torch import nn

from bench.serving.workloads import WORKLOADS, Workload
from service.contract.golden import GOLDEN_NAME, write_golden
from service.contract.manifest import (
    CARD_NAME,
    FileRef,
    Golden,
    Graph,
    Manifest,
    Provenance,
    Tensor,
    write_manifest,
)
from training.deployed import Deployed, DeployedClassifier
from training.nets.blocks import ConvNorm
from training.nets.resnet import ResNet
from training.onnx_file import OPSET, to_onnx
from training.recipe import DataRecipe

Role = Literal["probabilities", "logits"]
_SEED = 0
_GOLDEN_IMAGES = 4
_OUTPUTS: tuple[Role, ...] = ("probabilities", "logits")


def resnet18(classes: int) -> nn.Module:
    """Return the ResNet-18 for photographs of He et al., arXiv:1512.03385, table 1."""
    net = ResNet(classes, widths=(64, 128, 256, 512), depths=(2, 2, 2, 2))
    net.stem = nn.Sequential(ConvNorm(3, 64, kernel=7, stride=2), nn.MaxPool2d(3, 2, padding=1))
    return net


def resnet20(classes: int) -> nn.Module:
    """Return the ResNet-20 for 32x32 pictures of the same paper, section 4.2."""
    return ResNet(classes, widths=(16, 32, 64), depths=(3, 3, 3))


_NETS = {"resnet18": resnet18, "resnet20": resnet20}


def write_model(workload: Workload) -> None:
    """Write the workload's version folder, whole or not at all."""
    staging = workload.models_dir / ".unfinished"
    shutil.rmtree(workload.models_dir, ignore_errors=True)
    staging.mkdir(parents=True)
    images = _noise(workload.size)
    deployed = _deployed(workload, images)
    onnx.save(to_onnx(deployed, images)[0], staging / "model.onnx")
    with torch.inference_mode():
        outputs = [output.numpy() for output in deployed(images)]
    write_golden(
        staging / GOLDEN_NAME,
        {"images": images.numpy()},
        dict(zip(_OUTPUTS, outputs, strict=True)),
    )
    (staging / CARD_NAME).write_text(f"# {workload.name}\n\nRandom weights, for benchmarks only.\n")
    write_manifest(staging, _manifest(workload, staging))
    workload.folder.parent.mkdir()
    staging.rename(workload.folder)


def _noise(size: int) -> torch.Tensor:
    shape = (_GOLDEN_IMAGES, size, size, 3)
    return torch.from_numpy(np.random.default_rng(_SEED).integers(0, 256, shape, np.uint8))


def _data(size: int) -> DataRecipe:
    """Return ImageNet's usual preparation: the middle of the picture, its mean and deviation."""
    return DataRecipe(
        resize="shortest_side_center_crop",
        size=size,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def _deployed(workload: Workload, images: torch.Tensor) -> Deployed:
    torch.manual_seed(_SEED)
    deployed = DeployedClassifier(_NETS[workload.name](workload.classes), _data(workload.size))
    # one look at pictures gives batch normalisation statistics, so that activations are of
    # ordinary size: denormal numbers would slow a processor down
    with torch.no_grad():
        for module in deployed.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        deployed.train()(images)
    return deployed.eval()


def _manifest(workload: Workload, folder: Path) -> Manifest:
    size, classes = workload.size, workload.classes
    graph = Graph(
        file=_ref(folder / "model.onnx"),
        opset=OPSET,
        inputs=(Tensor(name="images", dtype="uint8", shape=(None, size, size, 3)),),
        outputs=tuple(
            Tensor(name=role, dtype="float32", shape=(None, classes), role=role)
            for role in _OUTPUTS
        ),
    )
    return Manifest(
        name=workload.name,
        version=1,
        task="image-classification",
        description=f"{workload.title}; random weights, for benchmarks only.",
        preprocessing=_data(size).preprocessing(),
        graphs=(graph,),
        labels=tuple(f"class {index}" for index in range(classes)),
        golden=Golden(file=_ref(folder / GOLDEN_NAME)),
        provenance=Provenance(
            recipe="none", dataset="none", seed=_SEED, created="2026-11-21", versions={}
        ),
        license="MIT",
    )


def _ref(file: Path) -> FileRef:
    return FileRef(path=file.name, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


if __name__ == "__main__":
    write_model(WORKLOADS[sys.argv[1]])
