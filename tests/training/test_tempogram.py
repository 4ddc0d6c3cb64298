import numpy as np
import pytest
import torch

from training.nets.registry import InvalidNet, build_net, check_task
from training.nets.tempogram import BINS_PER_OCTAVE, Expectation, Tempogram

RATES_BPM = 60 * 2 ** (np.arange(3 * BINS_PER_OCTAVE + 1) / BINS_PER_OCTAVE)
OPTIONS = {
    "sample_rate_hz": 2000,
    "window_s": 4.0,
    "log_mel": {"mels": 8, "frame_samples": 128, "hop_samples": 32},
    "widths": [4],
    "strokes": 2,
    "curves": 3,
}


def tempogram(curve: np.ndarray, frames_per_second: float = 50.0) -> np.ndarray:
    """Return what the layer makes of one curve (frames,)."""
    layer = Tempogram(len(curve), frames_per_second, RATES_BPM / 60)
    return layer(torch.from_numpy(curve).float().reshape(1, 1, -1))[0, 0].numpy()


@pytest.mark.parametrize("bpm", [66, 120, 317])
def test_tempogram_peaks_at_the_rate_of_the_curve(bpm: float) -> None:
    """To the nearest of its rates, whatever the phase and the mean."""
    time = np.arange(400) / 50
    found = RATES_BPM[tempogram(3 + np.cos(2 * np.pi * bpm / 60 * time + 1)).argmax()]
    assert abs(np.log2(found / bpm)) <= 0.5 / BINS_PER_OCTAVE + 1e-9


def test_loudness_makes_no_difference_to_a_tempogram() -> None:
    """Nor does a constant; a curve that never moves shows nothing."""
    curve = np.random.default_rng(0).uniform(0, 1, 400)
    np.testing.assert_allclose(tempogram(curve * 9 + 2), tempogram(curve), rtol=1e-2, atol=1e-2)
    assert tempogram(np.full(400, 5.0)).max() < 1.5


def test_twice_as_fast_is_the_same_picture_an_octave_up() -> None:
    """Of the same strokes in half the time, heard in half the window."""
    random = np.random.default_rng(0)
    slow = random.uniform(0, 1, 400)
    slow_found, fast_found = tempogram(slow, 50), tempogram(slow, 100)
    moved = slow_found[:-BINS_PER_OCTAVE]
    np.testing.assert_allclose(
        fast_found[BINS_PER_OCTAVE:] / fast_found[BINS_PER_OCTAVE], moved / moved[0], rtol=1e-3
    )


def test_expectation_is_the_likeliest_rate() -> None:
    """Between two neighbours the one between them; of two far apart the likelier one."""
    layer = Expectation(RATES_BPM)
    logits = torch.full((3, len(RATES_BPM)), -9.0)
    logits[0, 10] = 9.0
    logits[1, [10, 11]] = 9.0
    logits[2, 10], logits[2, 10 + BINS_PER_OCTAVE] = 9.0, 8.0
    found = layer(logits).squeeze(1).numpy()
    np.testing.assert_allclose(found[0], RATES_BPM[10], rtol=1e-5)
    np.testing.assert_allclose(found[1], np.sqrt(RATES_BPM[10] * RATES_BPM[11]), rtol=1e-5)
    np.testing.assert_allclose(found[2], RATES_BPM[10], rtol=1e-3)


def test_targets_are_bells_around_the_truth() -> None:
    """Shares that sum to one, with the true rate as their mean on the logarithmic scale."""
    layer = Expectation(RATES_BPM)
    truth = torch.tensor([100.0, 131.7, 300.0], dtype=torch.float64)
    targets = layer.targets(truth, deviation=1.0)
    np.testing.assert_allclose(targets.sum(1).numpy(), 1, rtol=1e-5)
    means = torch.exp(targets @ layer.log_rates)
    np.testing.assert_allclose(means.numpy(), truth.numpy(), rtol=1e-3)


def test_net_answers_within_its_limits() -> None:
    """One tempo a window, whatever is heard."""
    net = build_net("tempogram", 1, 1, {**OPTIONS, "lowest_bpm": 80, "highest_bpm": 160}).eval()
    waveforms = torch.randn(3, 8000, generator=torch.Generator().manual_seed(0))
    waveforms[0] = 0
    with torch.inference_mode():
        found, scores = net(waveforms), net.scores(waveforms)
    assert found.shape == (3, 1)
    assert scores.shape == (3, BINS_PER_OCTAVE + 1)
    assert ((found >= 79.99) & (found <= 160.01)).all()
    scale = torch.exp(net.expectation.log_rates)
    np.testing.assert_allclose(scale[[0, -1]].numpy(), [80, 160], rtol=1e-5)


def test_net_for_other_things_is_refused() -> None:
    """It measures one quantity, and no other task takes it."""
    with pytest.raises(InvalidNet, match="one quantity"):
        build_net("tempogram", 2, 1, OPTIONS)
    with pytest.raises(InvalidNet, match="no net 'tempogram' for audio-classification"):
        check_task("tempogram", "audio-classification")
    with pytest.raises(InvalidNet, match="there are tempogram"):
        check_task("waveform", "audio-regression")
