import pytest
import torch
from torch.nn import functional

from training.data.warp import VOID
from training.losses import class_weights, dice_loss, pixel_cross_entropy


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (2, 3, 4, 5) and masks with some void."""
    torch.manual_seed(0)
    masks = torch.randint(3, (2, 4, 5))
    masks[0, :2] = VOID
    return torch.randn(2, 3, 4, 5, requires_grad=True), masks


@pytest.mark.parametrize("dice", [False, True])
def test_void_has_no_part_in_the_loss(dice: bool) -> None:
    """Whatever is said of a void pixel, the loss is the same and pulls at nothing."""
    logits, masks = scene()
    changed = logits.detach().clone()
    changed[0, :, :2] = torch.randn(3, 2, 5) * 10
    loss_of = dice_loss if dice else pixel_cross_entropy

    loss = loss_of(logits, masks)
    loss.backward()

    torch.testing.assert_close(loss, loss_of(changed, masks))
    assert logits.grad is not None
    assert not logits.grad[0, :, :2].any()
    assert logits.grad[1].any()


def test_cross_entropy_is_the_mean_over_known_pixels() -> None:
    """With and without weights, it is what PyTorch says of these pixels alone."""
    logits, masks = scene()
    known = masks != VOID
    pixels = logits.permute(0, 2, 3, 1)[known]
    for weight in (None, torch.tensor([0.5, 2.0, 1.0])):
        expected = functional.cross_entropy(pixels, masks[known], weight=weight)
        torch.testing.assert_close(pixel_cross_entropy(logits, masks, weight), expected)


def test_batch_of_void_alone_costs_nothing() -> None:
    """A piece of a picture may show nothing known; that is no reason for a NaN."""
    logits, _ = scene()
    masks = torch.full((2, 4, 5), VOID)

    assert pixel_cross_entropy(logits, masks, torch.ones(3)).item() == 0
    assert dice_loss(logits, masks).item() == 0


def test_dice_is_zero_for_the_very_mask_and_one_for_none_of_it() -> None:
    """It counts overlap, over the classes that are there."""
    masks = torch.tensor([[[0, 0], [1, 1]]])
    right = functional.one_hot(masks, 3).permute(0, 3, 1, 2) * 100.0
    wrong = functional.one_hot(1 - masks, 3).permute(0, 3, 1, 2) * 100.0

    assert dice_loss(right, masks).item() == pytest.approx(0)
    assert dice_loss(wrong, masks).item() == pytest.approx(1)


def test_weights_make_pixels_or_classes_equal() -> None:
    """The power goes from equal pixels to equal classes; the average pixel weighs 1."""
    pixels = torch.tensor([900, 90, 10])
    share = pixels / pixels.sum()

    assert class_weights(pixels, 0).tolist() == pytest.approx([1, 1, 1])
    equal = class_weights(pixels, 1) * share
    assert equal.tolist() == pytest.approx([1 / 3] * 3)
    between = class_weights(pixels, 0.5)
    assert (between * share).sum().item() == pytest.approx(1)
    assert (between[1] / between[0]).item() == pytest.approx(10**0.5)
