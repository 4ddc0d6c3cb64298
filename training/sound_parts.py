"""The parts of a recipe that are about sounds, each one table of its TOML file."""

from typing import Annotated, Literal

from pydantic import Field

from service.contract.specs import AudioPreprocessing
from training.recipe_parts import Part, Share


class SoundDataRecipe(Part):
    """How sounds become training tensors.

    source: `rhythms` draws the data, unless a folder comes from the command line.
    window_s: length of the model's input in seconds.
    hop_s: from one window to the next where a longer sound is served or measured.
    tail: what happens where a sound ends within a window; see `AudioPreprocessing`.
    validation_share: part of the training split held out to choose the checkpoint where the data
        set has no validation split of its own; 0 for none, and the last epoch is kept.
    """

    source: Literal["folder", "rhythms"] = "folder"
    sample_rate_hz: Annotated[int, Field(ge=1000, le=192_000)]
    window_s: Annotated[float, Field(gt=0, le=60)]
    hop_s: Annotated[float, Field(gt=0, le=60)]
    tail: Literal["align", "zeros"] = "align"
    validation_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.1

    @property
    def channels(self) -> int:
        """Channels of the model's input: sounds are mixed to one."""
        return 1

    @property
    def window_samples(self) -> int:
        """Length of the model's input."""
        return round(self.window_s * self.sample_rate_hz)

    def preprocessing(self) -> AudioPreprocessing:
        """Return the contract's preprocessing."""
        return AudioPreprocessing(
            sample_rate_hz=self.sample_rate_hz,
            window_samples=self.window_samples,
            hop_samples=round(self.hop_s * self.sample_rate_hz),
            tail=self.tail,
        )


class SoundAugmentRecipe(Part):
    """Random changes of training sounds; every one begins at a random place anyway.

    speed: largest relative change of speed, and so of pitch and tempo together.
    gain_db: largest change of loudness each way.
    polarity: turn every other waveform upside down, which nobody hears.
    noise: largest standard deviation of white noise; full scale is 1.
    mixup: alpha of the Beta distribution by which two sounds are mixed; 0 for none.
    masks: stretches of time, and as many of frequency, that are blanked in a spectrogram
        (SpecAugment, arXiv:1904.08779); for nets that make one.
    time_share, frequency_share: largest share of the whole that one of them takes.
    """

    speed: Annotated[float, Field(ge=0, lt=1)] = 0
    gain_db: Annotated[float, Field(ge=0, le=60)] = 0
    polarity: bool = False
    noise: Share = 0
    mixup: Annotated[float, Field(ge=0)] = 0
    masks: Annotated[int, Field(ge=0, le=10)] = 0
    time_share: Share = 0.2
    frequency_share: Share = 0.2
