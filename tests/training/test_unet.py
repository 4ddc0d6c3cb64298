from typing import Any

import pytest
import torch
from torch import nn

from training.nets.blocks import Blur, BlurredMaxPool
from training.nets.encoder import PADDINGS
from training.nets.registry import CLASSIFIERS, InvalidNet, build_net, check_task
from training.nets.unet import UNet

RESNET = {"widths": [8, 12, 16], "depths": [1, 1, 1], "stem_stride": 2}
# classifier, its options, channels of the picture, widths of a decoder for it
ENCODERS: list[tuple[str, dict[str, Any], int, list[int]]] = [
    ("lenet5", {}, 1, [8, 8]),
    ("resnet", {"widths": [8, 12], "depths": [1, 1]}, 3, [8]),
    ("resnet", RESNET, 3, [8, 8, 12]),
    ("resnet", {**RESNET, "antialias": True, "shortcut": "zeros"}, 3, [8, 8, 12]),
    ("vgg", {"widths": [8, 12, 16], "depths": [1, 1, 2]}, 3, [8, 8]),
    ("whitened_resnet", {"widths": [8, 12, 16]}, 3, [8, 8, 8]),
    ("whitened_resnet", {"widths": [8, 12, 16], "antialias": True}, 3, [8, 8, 8]),
    ("xo", {}, 1, [8]),
]


def unet(
    encoder: str, encoder_options: dict[str, Any], channels: int, widths: list[int], **more: Any
) -> UNet:
    torch.manual_seed(0)
    options = {"encoder": encoder, "encoder_options": encoder_options, "decoder_widths": widths}
    net = build_net("unet", 3, channels, {**options, **more})
    assert isinstance(net, UNet)
    net.fit_to(torch.randn(8, channels, 32, 32))
    return net


def test_every_classifier_is_tried_as_an_encoder() -> None:
    """A net that is registered but not in the list above would go untested."""
    assert {kind for kind, *_ in ENCODERS} == set(CLASSIFIERS)


@pytest.mark.parametrize(("kind", "options", "channels", "widths"), ENCODERS)
def test_encoder_keeps_its_promise(
    kind: str, options: dict[str, Any], channels: int, widths: list[int]
) -> None:
    """Channels and sizes of the maps are what `out_channels` and `strides` say."""
    encoder = unet(kind, options, channels, widths).encoder
    largest = encoder.strides[-1]
    images = torch.randn(2, channels, 3 * largest, 5 * largest)

    maps = encoder.features(images)

    assert [tuple(one.shape) for one in maps] == [
        (2, width, 3 * largest // stride, 5 * largest // stride)
        for width, stride in zip(encoder.out_channels, encoder.strides, strict=True)
    ]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("kind", "options", "channels", "widths"), ENCODERS)
def test_unet_answers_at_every_pixel(
    kind: str, options: dict[str, Any], channels: int, widths: list[int], padding: str
) -> None:
    """Logits are as large as the picture, whatever the encoder and the padding."""
    net = unet(kind, options, channels, widths, padding=padding)
    step = net.size_multiple
    images = torch.randn(2, channels, 4 * step, 6 * step)

    assert net(images).shape == (2, 3, 4 * step, 6 * step)


def test_classifier_has_no_part_that_its_features_do_not_use() -> None:
    """Every weight of a U-Net gets a gradient: nothing of the classifier's head is left."""
    for kind, options, channels, widths in ENCODERS:
        net = unet(kind, options, channels, widths)
        step = net.size_multiple
        net(torch.randn(2, channels, 4 * step, 4 * step)).square().mean().backward()
        assert all(weight.grad is not None for weight in net.parameters()), kind


@pytest.mark.parametrize("upsample", ["nearest", "bilinear"])
def test_unet_overfits_one_batch(upsample: str) -> None:
    """It learns pixels by heart, so that fine detail finds its way through."""
    net = unet("resnet", RESNET, 3, [16, 16, 16], upsample=upsample)
    images = torch.randn(4, 3, 16, 24)
    masks = torch.randint(3, (4, 16, 24))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(150):
        loss = nn.functional.cross_entropy(net(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert loss.item() < 0.3


def test_padding_reaches_every_convolution() -> None:
    """The recipe's choice is that of the encoder, the blurs and the decoder."""
    net = unet("resnet", {**RESNET, "antialias": True}, 3, [8, 8, 12], padding="reflect")

    modes = [module.padding_mode for module in net.modules() if hasattr(module, "padding_mode")]
    assert len(modes) > 10
    assert set(modes) == {"reflect"}


def test_replicated_edges_change_no_plain_surface() -> None:
    """A picture of one colour gets one answer everywhere; zeros at the edge would show."""
    flat = torch.full((1, 3, 32, 32), 0.7)
    spread = {}
    for padding in ("zeros", "replicate"):
        net = unet("resnet", {**RESNET, "antialias": True}, 3, [8, 8, 12], padding=padding).eval()
        with torch.inference_mode():
            spread[padding] = net(flat).std((2, 3)).max().item()

    assert spread["replicate"] < 1e-5 < spread["zeros"]


def test_blur_takes_away_what_a_stride_would_fold() -> None:
    """A pattern that alternates at every pixel vanishes, a plain one stays."""
    alternating = torch.tensor([1.0, -1.0]).repeat(8).expand(1, 2, 16, 16)
    blur = Blur(2)
    blur.padding_mode = "reflect"

    torch.testing.assert_close(blur(alternating), torch.zeros(1, 2, 16, 16))
    torch.testing.assert_close(blur(torch.ones(1, 2, 16, 16)), torch.ones(1, 2, 16, 16))


@pytest.mark.parametrize("size", [16, 17, 31])
def test_blurred_pooling_halves_like_the_plain_one(size: int) -> None:
    """A net may have either: the sizes are the same."""
    features = torch.randn(1, 4, size, size)

    assert BlurredMaxPool(4)(features).shape == nn.MaxPool2d(2)(features).shape


def test_size_that_does_not_fit_is_answered_with_one_that_does() -> None:
    """The message names the next larger size."""
    net = unet("resnet", RESNET, 3, [8, 8, 12])

    with pytest.raises(ValueError, match=r"30x20 px do not divide by 8; 32x24"):
        net(torch.randn(1, 3, 20, 30))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"encoder": "alexnet"}, "whitened_resnet"),
        ({"encoder_options": {"widht": 3}}, "widht"),
        ({"decoder_widths": [8, 8, 8]}, "decoder_widths needs 2"),
        ({"padding": "circular"}, "replicate"),
        ({"upsample": "cubic"}, "bilinear"),
    ],
)
def test_unknown_option_names_what_there_is(options: dict[str, Any], complaint: str) -> None:
    """A typing error in a recipe is answered with the choices."""
    with pytest.raises(InvalidNet, match=complaint):
        build_net("unet", 3, 3, {"decoder_widths": [8, 8], **options})


def test_net_of_another_task_is_refused() -> None:
    """A U-Net does not classify pictures, nor a ResNet pixels."""
    for kind, task, instead in [
        ("unet", "image-classification", "resnet"),
        ("resnet", "image-segmentation", "unet"),
    ]:
        with pytest.raises(InvalidNet, match=instead):
            check_task(kind, task)
