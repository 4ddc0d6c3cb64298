import pytest
import torch
from torch import nn
from torch.nn import functional

from training.nets.lenet import C3_READS, LeNet5
from training.nets.registry import CLASSIFIERS, InvalidNet, build_net
from training.nets.resnet import ResNet, WhitenedResNet

NETS_TO_TRY = [
    ("lenet5", {}, 1, 28),
    ("resnet", {"widths": [8, 16, 16], "depths": [1, 1, 1], "shortcut": "zeros"}, 3, 16),
    (
        "resnet",
        {"widths": [8, 16], "depths": [2, 1], "stem_stride": 2, "shortcut": "pooled"},
        3,
        34,
    ),
    ("vgg", {"widths": [8, 16], "depths": [1, 2]}, 3, 16),
    ("whitened_resnet", {"widths": [16, 32, 32]}, 3, 32),
    ("whitened_resnet", {"widths": [16, 32, 32], "antialias": True}, 3, 32),
    ("xo", {}, 1, 9),
]


def build(kind: str, options: dict, channels: int, size: int) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    images = torch.randn(16, channels, size, size)
    net = build_net(kind, 4, channels, options)
    if hasattr(net, "fit_to"):
        net.fit_to(images)
    return net, images


@pytest.mark.parametrize(("kind", "options", "channels", "size"), NETS_TO_TRY)
def test_net_overfits_one_batch(kind: str, options: dict, channels: int, size: int) -> None:
    """Every net can learn sixteen random pictures by heart, so gradients reach its weights."""
    net, images = build(kind, options, channels, size)
    labels = torch.arange(16) % 4
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(200):
        loss = functional.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert loss.item() < 0.1


def test_every_classifier_is_tried() -> None:
    """A net that is registered but not in the list above would go untested."""
    assert {kind for kind, *_ in NETS_TO_TRY} == set(CLASSIFIERS)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_lenet_has_the_papers_parameters() -> None:
    """Layer by layer the counts are those of LeCun et al. 1998, section II-B."""
    net = LeNet5(10)

    assert count(net.c1) == 156
    assert count(net.s2) == 12
    assert int((net.c3.weight != 0).sum()) + 16 == 1_516
    assert count(net.s4) == 32
    assert count(net.c5) == 48_120
    assert count(net.f6) == 10_164


def test_cut_connections_of_lenet_stay_cut() -> None:
    """Training moves the weights of C3 but never revives a connection that Table I leaves out."""
    net, images = build("lenet5", {}, 1, 28)
    before = net.c3.weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    for _ in range(3):
        functional.cross_entropy(net(images), torch.arange(16) % 4).backward()
        optimizer.step()

    after = net.c3.weight.detach()
    kept = torch.zeros_like(after, dtype=torch.bool)
    for row, columns in enumerate(C3_READS):
        kept[row, list(columns)] = True
    assert not after[~kept].any()
    assert not torch.equal(before[kept], after[kept])


def test_vgg16_has_the_papers_convolutions() -> None:
    """Configuration D: thirteen convolutions, 14,710,464 weights in them without the biases."""
    net = build_net("vgg", 10, 3, {"widths": [64, 128, 256, 512, 512], "depths": [2, 2, 3, 3, 3]})
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]

    assert len(convolutions) == 13
    assert sum(count(each) for each in convolutions) == 14_710_464


def test_resnet20_has_the_published_size() -> None:
    """He et al. give 0.27 million parameters for ResNet-20."""
    net = ResNet(10, shortcut="zeros")

    assert count(net) == 269_722


def test_whitening_decorrelates_patches() -> None:
    """Responses to the fitted filters have unit variance and no correlation."""
    torch.manual_seed(0)
    smooth = functional.avg_pool2d(torch.randn(64, 3, 34, 34), 3, 1) * 3
    net = WhitenedResNet(4, widths=(8, 8, 8))
    net.fit_to(smooth)

    responses = net.whiten(smooth).transpose(0, 1).flatten(1)[:12]
    torch.testing.assert_close(torch.cov(responses), torch.eye(12), atol=0.05, rtol=0)


def test_unknown_net_or_option_names_what_there_is() -> None:
    """A typing error in a recipe is answered with the choices."""
    with pytest.raises(InvalidNet, match="lenet5"):
        build_net("lenet6", 10, 1, {})
    with pytest.raises(InvalidNet, match="widht"):
        build_net("resnet", 10, 3, {"widht": 3})
    with pytest.raises(InvalidNet, match="pooled"):
        build_net("resnet", 10, 3, {"shortcut": "pool"})
