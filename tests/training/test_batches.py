import torch

from tests.training.folders import RECIPE
from training.data.augment import augment_batch
from training.data.batches import TrainBatches
from training.recipe import AugmentRecipe, Recipe, parse_recipe


def recipe(**augment: object) -> Recipe:
    parsed = parse_recipe(RECIPE, "test")
    return parsed.model_copy(update={"augment": AugmentRecipe(**augment)})


def numbered(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pictures whose pixels are their own number, so that they can be told apart."""
    numbers = torch.arange(count)
    return numbers.reshape(-1, 1, 1, 1).expand(-1, 3, 16, 16).to(torch.uint8), numbers % 3


def seen(batches: TrainBatches) -> list[int]:
    return [int(value) for images, _ in batches for value in (images[:, 0, 0, 0] * 255).round()]


def test_epochs_are_shuffled_anew_and_cover_the_data() -> None:
    """Each epoch shows every picture once, in another order, and repeats exactly."""
    images, labels = numbered(40)
    plain = recipe()

    first, again, second = (
        seen(TrainBatches(images, labels, 3, plain, seed=5, epoch=epoch)) for epoch in (0, 0, 1)
    )

    assert first == again
    assert first != second
    assert sorted(first) == sorted(second) == list(range(40))


def test_ranks_share_an_epoch_without_overlap() -> None:
    """Two processes of torchrun see disjoint halves of the same epoch."""
    images, labels = numbered(40)
    ranks = [
        seen(TrainBatches(images, labels, 3, recipe(), 5, 0, rank=rank, world_size=2))
        for rank in (0, 1)
    ]

    assert sorted(ranks[0] + ranks[1]) == list(range(40))
    assert len(ranks[0]) == len(ranks[1]) == 20


def test_targets_follow_the_pictures() -> None:
    """The target of a picture is its own class, also when two are mixed."""
    images, labels = numbered(24)
    for picture, target in TrainBatches(images, labels, 3, recipe(), 0, 0):
        numbers = (picture[:, 0, 0, 0] * 255).round().long()
        assert torch.equal(target.argmax(1), numbers % 3)
    for _, target in TrainBatches(images, labels, 3, recipe(mixup=0.4), 0, 0):
        torch.testing.assert_close(target.sum(1), torch.ones(8))
        assert target.max() < 1 or target.count_nonzero() >= 8


def test_every_picture_is_mirrored_every_other_epoch() -> None:
    """A picture seen as it is in one epoch is seen mirrored in the next."""
    images = torch.zeros(8, 3, 16, 16, dtype=torch.uint8)
    images[:, :, :, 0] = 255
    labels = torch.arange(8)
    left = {}
    for epoch in (0, 1, 2):
        for picture, target in TrainBatches(images, labels, 8, recipe(flip=True), 0, epoch):
            for one, truth in zip(picture, target.argmax(1), strict=True):
                left[epoch, int(truth)] = bool(one[0, 0, 0] > 0.5)

    for i in range(8):
        assert left[0, i] != left[1, i]
        assert left[0, i] == left[2, i]


def test_augmentation_gives_the_asked_size_in_range() -> None:
    """All changes at once still give finite pictures in 0..1 of the epoch's size."""
    images = torch.randint(0, 256, (6, 3, 20, 20), dtype=torch.uint8)
    everything = AugmentRecipe(
        flip=True,
        translate_px=3,
        cutout_px=4,
        crop_scale=(0.3, 1.0),
        rotate_degrees=30,
        shear_degrees=10,
        zoom=(0.8, 1.2),
        jitter=0.4,
    )
    generator = torch.Generator().manual_seed(0)

    batch = augment_batch(images, 16, everything, torch.ones(6, dtype=torch.bool), generator)

    assert batch.shape == (6, 3, 16, 16)
    assert 0 <= batch.min() <= batch.max() <= 1


def test_no_augmentation_changes_nothing() -> None:
    """An empty recipe hands the pictures through."""
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    still = augment_batch(
        images, 16, AugmentRecipe(), torch.ones(4, dtype=torch.bool), torch.Generator()
    )

    torch.testing.assert_close(still * 255, images.float())


def test_sizes_grow_with_the_epochs() -> None:
    """`sizes` sets the side from the share of the training that is done."""
    text = RECIPE.replace("epochs = 4", "epochs = 4\nsizes = [[0.0, 8], [0.5, 12]]")
    growing = parse_recipe(text, "test")
    images, labels = numbered(8)

    sides = [TrainBatches(images, labels, 3, growing, 0, epoch).size for epoch in range(4)]

    assert sides == [8, 8, 12, 12]
