import pytest
import torch

from tests.training.scene_folders import RECIPE
from training.data.augment import augment_scenes
from training.data.batches import SceneBatches
from training.data.photometry import recolor
from training.data.warp import VOID
from training.recipe import AugmentRecipe, Recipe, parse_recipe

GRAY = 60  # the pictures below are their masks, this many gray levels a class


def recipe(passes: int = 1, **augment: object) -> Recipe:
    parsed = parse_recipe(RECIPE, "test")
    training = parsed.training.model_copy(update={"passes": passes})
    return parsed.model_copy(update={"augment": AugmentRecipe(**augment), "training": training})


def scenes(count: int = 6, size: tuple[int, int] = (40, 56)) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures whose gray level is their mask's class, in boxes of 8 pixels."""
    torch.manual_seed(0)
    coarse = torch.randint(0, 4, (count, size[0] // 8, size[1] // 8), dtype=torch.uint8)
    masks = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return (masks * GRAY).unsqueeze(1).repeat(1, 3, 1, 1), masks


def agreement(images: torch.Tensor, masks: torch.Tensor) -> tuple[float, float]:
    """Return which share of the known pixels away from borders agree, and how many these are."""
    level = images[:, 0] * 255 / GRAY
    inside = (level - level.round()).abs() < 0.02
    known = inside & (masks != VOID)
    agree = (level.round()[known] == masks[known]).float().mean().item()
    return agree, known.float().mean().item()


@pytest.mark.parametrize(
    "augment",
    [
        {},
        {"flip": True},
        {"crop": (32, 48)},
        {"crop": (32, 48), "zoom": (0.5, 2.0), "flip": True},
        {"crop": (48, 64)},
        {"crop": (32, 48), "rotate_degrees": 40, "shear_degrees": 15},
        {"crop_scale": (0.4, 1.0), "rotate_degrees": 15},
    ],
)
def test_mask_moves_with_its_picture(augment: dict[str, object]) -> None:
    """Wherever a pixel goes, its class goes too."""
    images, masks = scenes()
    mirrored = torch.arange(6) % 2 == 0
    generator = torch.Generator().manual_seed(1)

    moved = augment_scenes(images, masks, AugmentRecipe(**augment), mirrored, generator)

    assert moved[0].shape[2:] == moved[1].shape[1:] == augment.get("crop", (40, 56))
    agree, share = agreement(*moved)
    # between two classes bilinear pixels may look like a third; a shift by one would give 0.85
    assert agree > 0.98
    assert share > 0.35


def test_turn_keeps_angles_in_pictures_that_are_not_square() -> None:
    """A quarter turn of a wide picture shows its squares as squares, at their size."""
    images = torch.zeros(1, 1, 40, 80, dtype=torch.uint8)
    images[0, 0, 16:24, 36:44] = 255
    turned = AugmentRecipe(crop=(40, 80), rotate_degrees=45)
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        batch, _ = augment_scenes(
            images, images[:, 0], turned, torch.zeros(1, dtype=torch.bool), generator
        )
        assert batch.sum().item() == pytest.approx(64, rel=0.05)
        rows, columns = batch[0, 0].sum(1), batch[0, 0].sum(0)
        assert (rows > 0.5).sum() == pytest.approx(int((columns > 0.5).sum()), abs=1)


def test_zoom_leaves_pixels_their_size_or_enlarges_them() -> None:
    """A crop alone copies pixels; a zoom of two makes four of each."""
    images = torch.zeros(1, 1, 40, 56, dtype=torch.uint8)
    images[0, 0, 18:22, 26:30] = 255
    still = torch.zeros(1, dtype=torch.bool)
    for zoom, expected in ((1.0, 16), (2.0, 64)):
        sums = []
        for seed in range(20):
            generator = torch.Generator().manual_seed(seed)
            wish = AugmentRecipe(crop=(32, 48), zoom=(zoom, zoom))
            batch, _ = augment_scenes(images, images[:, 0], wish, still, generator)
            sums.append(batch.sum().item())
        assert max(sums) == pytest.approx(expected, rel=0.01)


def test_uncovered_pixels_are_void() -> None:
    """A picture that is made smaller leaves room, where nothing is to be learnt."""
    images, masks = scenes()
    half = AugmentRecipe(crop=(40, 56), zoom=(0.5, 0.5))
    still = torch.zeros(6, dtype=torch.bool)

    batch, moved = augment_scenes(images, masks, half, still, torch.Generator())

    assert (moved == VOID).float().mean().item() == pytest.approx(0.75, abs=0.01)
    assert batch[:, 0][moved == VOID].any()  # the picture goes on there, reflected


def test_epochs_repeat_exactly_and_ranks_share_them() -> None:
    """The stream depends on seed, epoch and rank alone."""
    images, masks = scenes(8)
    wish = recipe(crop=(32, 48), zoom=(0.7, 1.4), jitter=0.3, noise=0.05, flip=True)

    first, again, other = (
        list(SceneBatches(images, masks, wish, seed=5, epoch=epoch)) for epoch in (0, 0, 1)
    )

    for one, same, another in zip(first, again, other, strict=True):
        assert torch.equal(one[0], same[0])
        assert torch.equal(one[1], same[1])
        assert not torch.equal(one[0], another[0])
    halves = [SceneBatches(images, masks, wish, 5, 0, rank, 2) for rank in (0, 1)]
    assert [len(half) for half in halves] == [2, 2]
    assert all(len(batch) == 2 for half in halves for batch, _ in half)


def test_passes_show_every_picture_so_often_and_mirror_it_every_other_time() -> None:
    """An epoch of four passes is four epochs without the validations between."""
    images = torch.arange(8, dtype=torch.uint8).reshape(-1, 1, 1, 1).repeat(1, 1, 8, 8) * 8
    images[:, :, :, 0] += 100
    seen: dict[int, list[bool]] = {i: [] for i in range(8)}
    for batch, _ in SceneBatches(images, images[:, 0], recipe(4, flip=True), 0, 0):
        for picture in (batch[:, 0] * 255).round().long():
            seen[int(picture.min()) // 8].append(bool(picture[0, 0] > picture[0, -1]))

    for sides in seen.values():
        assert len(sides) == 4
        assert sides[0] != sides[1]
        assert sides[0] == sides[2]


@pytest.mark.parametrize(
    "wish", [{"jitter": 0.4}, {"hue_degrees": 40}, {"gamma": 2}, {"blur": 1}, {"noise": 0.1}]
)
def test_each_change_of_colour_is_its_own_for_every_picture(wish: dict[str, float]) -> None:
    """Pictures change, stay in 0..1, and two equal ones do not stay equal."""
    torch.manual_seed(0)
    batch = torch.rand(1, 3, 16, 16).repeat(2, 1, 1, 1)

    changed = recolor(batch, AugmentRecipe(**wish), torch.Generator().manual_seed(0))

    assert 0 <= changed.min() <= changed.max() <= 1
    assert not torch.allclose(changed, batch, atol=1e-3)
    assert not torch.allclose(changed[0], changed[1], atol=1e-3)


def test_hue_leaves_gray_gray() -> None:
    """A turn of the colours has nothing to turn where there is none."""
    gray = torch.rand(4, 1, 8, 8).repeat(1, 3, 1, 1)

    turned = recolor(gray, AugmentRecipe(hue_degrees=90), torch.Generator().manual_seed(0))

    torch.testing.assert_close(turned, gray, atol=2e-3, rtol=0)
