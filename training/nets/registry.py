"""Nets by the name that a recipe gives them."""

from typing import Any

from torch import nn

from service.contract.errors import SetupError
from training.nets.lenet import LeNet5
from training.nets.resnet import ResNet, WhitenedResNet
from training.nets.xo import XONet

NETS: dict[str, type[nn.Module]] = {
    "lenet5": LeNet5,
    "resnet": ResNet,
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
