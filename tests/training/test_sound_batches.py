import numpy as np
import pytest
import torch

from service.contract.windows import windows_of
from tests.training.sound_folders import RECIPE
from training.data.sound_augment import change_sounds, random_window
from training.data.sound_batches import HeldOutSounds, SoundBatches, SoundPool
from training.data.spectrogram_masks import mask_spectrograms
from training.recipe import SoundRecipe, parse_recipe
from training.sound_classifier import mean_of_windows
from training.sound_parts import SoundAugmentRecipe

PLAIN = SoundAugmentRecipe()


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recipe(**augment: object) -> SoundRecipe:
    found = parse_recipe(RECIPE, "test")
    assert isinstance(found, SoundRecipe)
    return found.model_copy(update={"augment": SoundAugmentRecipe(**augment)})


def pool() -> SoundPool:
    """Sounds of one value each: their number."""
    lengths = (2000, 600, 1200, 3000, 100, 1500, 1300, 1700)
    return SoundPool([np.full(n, i + 1, np.float32) for i, n in enumerate(lengths)])


def test_window_of_a_long_sound_is_a_piece_of_it() -> None:
    """Anywhere from its beginning to its end, in order."""
    ramp = torch.arange(100.0)
    pieces = torch.stack(
        [random_window(ramp, 90, PLAIN, "align", random(seed)) for seed in range(200)]
    )

    assert torch.equal(pieces.diff(dim=1), torch.ones(200, 89))
    assert set(pieces[:, 0].int().tolist()) == set(range(11))


def test_short_sound_is_repeated_from_a_random_place() -> None:
    """It goes round and round, as the service repeats it."""
    ramp = torch.arange(7.0)
    pieces = torch.stack(
        [random_window(ramp, 20, PLAIN, "align", random(seed)) for seed in range(60)]
    )

    assert set(pieces[:, 0].int().tolist()) == set(range(7))
    assert torch.equal(pieces[:, 1:], (pieces[:, :-1] + 1) % 7)


def test_short_sound_lies_anywhere_in_silence() -> None:
    """Whole and in order, from the beginning of the window to its end, if silence is the tail."""
    ramp = torch.arange(1.0, 8.0)
    starts = set()
    for seed in range(200):
        piece = random_window(ramp, 20, PLAIN, "zeros", random(seed))
        start = int(piece.argmax()) - 6
        assert torch.equal(piece, torch.nn.functional.pad(ramp, (start, 13 - start)))
        starts.add(start)

    assert starts == set(range(14))


def test_speed_moves_pitch() -> None:
    """A tone comes out up to so much higher or lower, and nothing else happens to it."""
    tone = torch.sin(2 * torch.pi * 200 * torch.arange(8000) / 4000)
    fast = SoundAugmentRecipe(speed=0.2)
    peaks = []
    for seed in range(30):
        window = random_window(tone, 4000, fast, "align", random(seed))
        assert window.shape == (4000,)
        peaks.append(int(torch.fft.rfft(window).abs().argmax()))

    assert 158 <= min(peaks) < 175
    assert 225 < max(peaks) <= 242


def test_gain_polarity_and_noise_do_what_they_say() -> None:
    """Each is drawn anew for every sound, and stays within its limits."""
    batch = torch.ones(200, 50)
    gained = change_sounds(batch, SoundAugmentRecipe(gain_db=6), random())
    turned = change_sounds(batch, SoundAugmentRecipe(polarity=True), random())
    noisy = change_sounds(batch, SoundAugmentRecipe(noise=0.1), random())

    assert torch.equal(gained.std(1), torch.zeros(200))
    decibels = 20 * gained[:, 0].log10()
    assert -6 <= decibels.min() < -5
    assert 5 < decibels.max() <= 6
    assert set(turned.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(turned.std(1), torch.zeros(200))
    assert 0.08 < noisy.std(1).max() < 0.13
    assert noisy.std(1).min() < 0.02
    assert torch.equal(change_sounds(batch, PLAIN, random()), batch)


def test_masks_blank_a_stretch_along_either_axis() -> None:
    """Whole rows and whole columns become zero, together, and no more than the recipe says."""
    torch.manual_seed(0)
    masks = SoundAugmentRecipe(masks=1, time_share=0.3, frequency_share=0.5)
    blank = mask_spectrograms(torch.ones(300, 1, 20, 40), masks)[:, 0] == 0
    rows, columns = blank.all(2), blank.all(1)

    assert torch.equal(blank, rows.unsqueeze(2) | columns.unsqueeze(1))
    assert 8 <= rows.sum(1).max() <= 11
    assert 10 <= columns.sum(1).max() <= 13
    for stretch in (rows, columns):
        edges = torch.nn.functional.pad(stretch.int(), (1, 1)).diff(dim=1).abs().sum(1)
        assert set(edges.tolist()) <= {0, 2}


def test_no_masks_change_nothing() -> None:
    """What the recipe leaves out is left as it is."""
    spectrograms = torch.randn(2, 1, 8, 9)
    assert torch.equal(mask_spectrograms(spectrograms, PLAIN), spectrograms)


def test_epoch_shows_every_sound_with_its_label() -> None:
    """Once each in a pass, in an order of its own, as windows of the model's length."""
    batches = SoundBatches(pool(), torch.arange(8), 8, recipe(), seed=0, epoch=0)
    waveforms, targets = (torch.cat(part) for part in zip(*batches, strict=True))

    assert waveforms.shape == (16, 1200)
    assert torch.equal(targets.argmax(1), waveforms[:, 0].long() - 1)
    assert torch.equal(targets.sum(0), torch.full((8,), 2.0))


def test_epoch_is_the_same_again_and_another_one_is_not() -> None:
    """What a batch holds depends on seed and epoch alone, which makes a resume exact."""

    def first(seed: int, epoch: int) -> torch.Tensor:
        changes = recipe(noise=0.1, gain_db=3, mixup=0.3)
        sounds = SoundBatches(pool(), torch.arange(8), 8, changes, seed=seed, epoch=epoch)
        return next(iter(sounds))[0]

    assert torch.equal(first(0, 3), first(0, 3))
    assert not torch.equal(first(0, 3), first(0, 4))
    assert not torch.equal(first(0, 3), first(1, 3))


def test_mixup_mixes_waveforms_as_it_mixes_targets() -> None:
    """The louder part of a mix has the larger share of the target."""
    batches = SoundBatches(pool(), torch.arange(8), 8, recipe(mixup=1.0), seed=0, epoch=0)
    waveforms, targets = next(iter(batches))

    expected = (targets * torch.arange(1.0, 9)).sum(1)
    torch.testing.assert_close(waveforms[:, 0], expected)
    assert ((targets > 0).sum(1) == 2).any()


def test_held_out_sounds_are_cut_as_they_are_served() -> None:
    """Every window of every sound comes once, with its sound's number and label."""
    spec = recipe().data.preprocessing()
    waveforms = [np.random.default_rng(i).random(n, np.float32) for i, n in enumerate((50, 3000))]
    labels = torch.tensor([4, 2])
    windows, places = next(iter(HeldOutSounds(waveforms, labels, spec)))

    expected = [windows_of(waveform, spec)[1] for waveform in waveforms]
    assert np.array_equal(windows.numpy(), np.concatenate(expected))
    assert places.tolist() == [[0, 4]] + [[1, 2]] * len(expected[1])
    alone = list(HeldOutSounds(waveforms, labels, spec, sounds_at_once=1))
    assert len(alone) == 2
    assert alone[1][1].tolist() == [[0, 2]] * len(expected[1])


def test_sound_is_judged_by_the_mean_of_its_windows() -> None:
    """One window more or less does not make a sound count for more."""
    logits = torch.tensor([[1.0, 0.0], [0.0, 4.0], [2.0, 2.0], [5.0, 1.0]])
    owners, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 1, 1, 0])

    means, of_sounds = mean_of_windows(logits, owners, labels)

    torch.testing.assert_close(means, torch.tensor([[1.0, 2.0], [5.0, 1.0]]))
    assert of_sounds.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "sample_rate_hz = 4000\nwindow",
            "sample_rate_hz = 8000\nwindow",
            "data.sample_rate_hz is",
        ),
        ("patience = 20", "sizes = [[0.0, 8]]", "training.sizes"),
        ("gain_db = 6", "crop = [8, 8]", "crop"),
    ],
)
def test_recipes_that_do_not_fit_sounds_are_refused(old: str, new: str, complaint: str) -> None:
    """Options of pictures, and rates that differ, are told before anything is read."""
    assert old in RECIPE
    with pytest.raises(Exception, match=complaint):
        parse_recipe(RECIPE.replace(old, new), "test")
