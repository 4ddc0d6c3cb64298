import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.contract.specs import AudioPreprocessing
from service.contract.windows import cut_windows, windows_of

SPECS = st.integers(16, 40).flatmap(
    lambda window: st.builds(
        AudioPreprocessing,
        sample_rate_hz=st.just(8000),
        window_samples=st.just(window),
        hop_samples=st.integers(1, window),
        tail=st.sampled_from(["align", "zeros"]),
    )
)


def ramp(samples: int) -> np.ndarray:
    """Return a waveform in which every sample is its number, from 1 on."""
    return np.arange(1, samples + 1, dtype=np.float32)


@given(spec=SPECS, samples=st.integers(0, 200))
def test_every_sample_lies_in_a_window(spec: AudioPreprocessing, samples: int) -> None:
    """At the place that its window's start says; nothing else is there but silence behind."""
    starts, windows = windows_of(ramp(samples), spec)

    assert windows.dtype == np.float32
    assert windows.shape == (len(starts), spec.window_samples)
    assert set(windows.ravel()) - {0} == set(ramp(samples))
    for start, window in zip(starts, windows, strict=True):
        there = min(spec.window_samples, samples - start)
        assert np.array_equal(window[:there], ramp(samples)[start : start + there])


@given(spec=SPECS, samples=st.integers(0, 200))
def test_windows_are_where_the_hop_says(spec: AudioPreprocessing, samples: int) -> None:
    """One hop apart, but for a last one that ends with the waveform if it is aligned."""
    starts, _ = windows_of(ramp(samples), spec)

    expected = [*range(0, max(0, samples - spec.window_samples) + 1, spec.hop_samples)]
    expected = expected if samples else []
    if samples > expected[-1] + spec.window_samples if expected else False:
        aligned = spec.tail == "align"
        expected.append(
            samples - spec.window_samples if aligned else expected[-1] + spec.hop_samples
        )
    assert starts == expected


@given(spec=SPECS, samples=st.integers(0, 200), cuts=st.lists(st.integers(0, 200)))
def test_pieces_make_no_difference(spec: AudioPreprocessing, samples: int, cuts: list[int]) -> None:
    """A waveform that comes in pieces, empty ones too, has the windows of the whole."""
    pieces = np.split(ramp(samples), sorted(min(cut, samples) for cut in cuts))

    whole, windows = windows_of(ramp(samples), spec)
    cut = [*cut_windows(pieces, spec)]

    assert [start for start, _ in cut] == whole
    assert all(np.array_equal(a, b) for (_, a), b in zip(cut, windows, strict=True))


def test_short_waveform_fills_its_window() -> None:
    """By repetition where windows are aligned, with silence where they stay in place."""
    options = {"sample_rate_hz": 8000, "window_samples": 16, "hop_samples": 16}
    _, (repeated,) = windows_of(ramp(5), AudioPreprocessing(**options))
    _, (silent,) = windows_of(ramp(5), AudioPreprocessing(**options, tail="zeros"))

    assert repeated.tolist() == [*range(1, 6), *range(1, 6), *range(1, 6), 1]
    assert silent.tolist() == [*range(1, 6), *[0] * 11]


def test_no_more_is_kept_than_a_window_and_a_piece() -> None:
    """An hour passes through in the memory of a second."""
    spec = AudioPreprocessing(sample_rate_hz=8000, window_samples=8000, hop_samples=4000)
    last = np.empty(0, np.float32)
    count = 0
    for _, last in cut_windows((np.full(8000, i, np.float32) for i in range(3600)), spec):
        count += 1
        base = last if last.base is None else last.base
        assert base.size <= 3 * 8000

    assert count == 7199
    assert last.tolist() == [3599] * 8000
