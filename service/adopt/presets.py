"""What nets expect of a picture's numbers: the conventions that have names, and any other."""

from dataclasses import dataclass

from service.adopt.refusal import CannotAdd

_BYTE = 255.0


@dataclass(frozen=True)
class Normalisation:
    """From bytes to what the net was trained on: (byte / 255 - mean) / std, channel by channel.

    mean, std: in units of 0..1, one for each channel, in the order red, green, blue.
    reverse: the net takes blue first.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverse: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the net takes the bytes as they are."""
        return all(m == 0 for m in self.mean) and all(s == 1 / _BYTE for s in self.std)


@dataclass(frozen=True)
class Preset:
    """A convention.

    mean, std: as in Normalisation; one number stands for all channels.
    crop_fraction: of the shorter side, that pictures are cut to.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    about: str
    reverse: bool = False
    crop_fraction: float | None = None

    @property
    def has_order(self) -> bool:
        """Whether it tells which channel is first, as it does if they are treated differently."""
        return len(set(self.mean)) > 1


PRESETS = {
    # torchvision's models: https://pytorch.org/vision/stable/models.html
    "imagenet": Preset(
        (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "torchvision's mean and std", False, 0.875
    ),
    "zero_one": Preset((0.0,), (1.0,), "0..1"),
    "minus_one_one": Preset((0.5,), (0.5,), "-1..1, TensorFlow's Inception and MobileNet"),
    "raw": Preset((0.0,), (1 / _BYTE,), "0..255 as they are"),
    # the means of the training pictures that Caffe's model zoo takes away
    "caffe": Preset(
        (123.68 / _BYTE, 116.779 / _BYTE, 103.939 / _BYTE),
        (1 / _BYTE,),
        "0..255 less Caffe's mean, blue first",
        reverse=True,
    ),
    # https://github.com/openai/CLIP/blob/main/clip/clip.py
    "clip": Preset(
        (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711), "CLIP's"
    ),
}


def preset_normalisation(name: str, channels: int, order: str | None) -> Normalisation:
    """Return the preset for so many channels; raises CannotAdd if it has another number."""
    preset = PRESETS[name]
    reverse = preset.reverse if order is None else order == "bgr"
    return Normalisation(
        _each(preset.mean, channels, f"the preset {name}"),
        _each(preset.std, channels, f"the preset {name}"),
        reverse and channels == 3,
    )


def own_normalisation(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    scale: float,
    channels: int,
    order: str | None,
) -> Normalisation:
    """Return (byte * scale - mean) / std in our units.

    mean, std: in the order in which the net takes its channels.

    >>> own_normalisation((0.0,), (1.0,), 1.0, 1, None).is_identity
    True
    """
    reverse = order == "bgr" and channels == 3
    means, stds = _each(mean, channels, "--mean"), _each(std, channels, "--std")
    if not scale > 0 or not all(value > 0 for value in stds):
        raise CannotAdd("--scale and --std must be larger than zero.")
    if reverse:
        means, stds = means[::-1], stds[::-1]
    unit = _BYTE * scale
    if any(abs(m) > 2 * unit for m in means):
        told = " ".join(f"{mean:g}" for mean in means)
        raise CannotAdd(
            f"--mean {told} lies outside what bytes become, 0..{unit:g}: for numbers in units of "
            "0..255 say --scale 1 too."
        )
    return Normalisation(
        tuple(value / unit for value in means), tuple(value / unit for value in stds), reverse
    )


def _each(values: tuple[float, ...], channels: int, said: str) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        raise CannotAdd(
            f"{said} has {len(values)} numbers, but the input has {channels} "
            f"channel{'s' if channels > 1 else ''}: say them with --mean and --std."
        )
    return values * channels if len(values) == 1 else values
