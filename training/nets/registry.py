"""Nets by the name that a recipe gives them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from service.contract.errors import SetupError
from training.nets.encoder import Encoder
from training.nets.lenet import LeNet5
from training.nets.resnet import ResNet, WhitenedResNet
from training.nets.silence import SilenceNet
from training.nets.spectrogram import SpectrogramNet
from training.nets.tempogram import TempogramNet
from training.nets.unet import UNet
from training.nets.vgg import VGG
from training.nets.waveform import WaveformNet
from training.nets.xo import XONet

CLASSIFIERS: dict[str, type[Encoder]] = {
    "lenet5": LeNet5,
    "resnet": ResNet,
    "vgg": VGG,
    "whitened_resnet": WhitenedResNet,
    "xo": XONet,
}


class InvalidNet(SetupError):
    """A net, or an option of one, that does not exist."""


def build_net(kind: str, classes: int, in_channels: int, options: dict[str, Any]) -> nn.Module:
    """Return a freshly initialised net; its randomness comes from torch's global generator.

    Raises: InvalidNet if the kind or one of the options is unknown.
    """
    if kind not in NETS:
        raise InvalidNet(f"no net {kind!r}; there are {', '.join(sorted(NETS))}")
    try:
        return NETS[kind](classes=classes, in_channels=in_channels, **options)
    except (TypeError, ValueError) as error:
        raise InvalidNet(f"net {kind!r}: {error}") from error


def check_task(kind: str, task: str) -> None:
    """Raise InvalidNet if the net `kind` does not answer the `task`."""
    if kind not in NETS_OF_TASK[task]:
        there_are = ", ".join(sorted(NETS_OF_TASK[task]))
        raise InvalidNet(f"no net {kind!r} for {task}; there are {there_are}")


def _unet(
    classes: int,
    in_channels: int,
    encoder: str = "resnet",
    encoder_options: dict[str, Any] | None = None,
    **options: Any,
) -> UNet:
    """Return a U-Net; encoder: a classifier's name, encoder_options: its constructor's."""
    if encoder not in CLASSIFIERS:
        raise ValueError(f"no encoder {encoder!r}; there are {', '.join(sorted(CLASSIFIERS))}")
    # the classes go with the head, which a U-Net drops
    built = CLASSIFIERS[encoder](classes=2, in_channels=in_channels, **(encoder_options or {}))
    return UNet(built, classes, in_channels, **options)


NETS_OF_TASK: dict[str, dict[str, Callable[..., nn.Module]]] = {
    "image-classification": dict(CLASSIFIERS),
    "image-segmentation": {"unet": _unet},
    "audio-classification": {"spectrogram": SpectrogramNet, "waveform": WaveformNet},
    "audio-segmentation": {"silence": SilenceNet},
    "audio-regression": {"tempogram": TempogramNet},
}
NETS = {kind: net for nets in NETS_OF_TASK.values() for kind, net in nets.items()}
