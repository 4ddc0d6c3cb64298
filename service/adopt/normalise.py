"""Which normalisation the net was trained with: never guessed in silence."""

import numpy as np

from service.adopt.asked import Asked
from service.adopt.findings import Finding
from service.adopt.first_steps import FirstSteps
from service.adopt.pictures import PictureInput
from service.adopt.presets import PRESETS, Normalisation, own_normalisation, preset_normalisation
from service.adopt.refusal import CannotAdd

_BYTE = 255


def choose_normalisation(
    picture: PictureInput, steps: FirstSteps, asked: Asked
) -> tuple[Normalisation, list[Finding]]:
    """Return what is done to bytes before the graph sees them, as far as it is known.

    Raises: CannotAdd if neither the file nor the operator says.
    """
    found, finding = _numbers(picture, steps, asked)
    return found, [finding, _order(found, asked)]


def _numbers(
    picture: PictureInput, steps: FirstSteps, asked: Asked
) -> tuple[Normalisation, Finding]:
    channels, order = picture.channels, asked.channel_order
    own = any(value is not None for value in (asked.mean, asked.std, asked.scale))
    if own and asked.preset:
        raise CannotAdd("Say either --preset or --mean, --std and --scale, not both.")
    if picture.given.dtype == np.uint8:
        if own or asked.preset not in (None, "raw"):
            raise CannotAdd(
                f"The input {picture.given} takes bytes as they are: nothing can be normalised in "
                "front of it. Leave --preset, --mean, --std and --scale out."
            )
        found = preset_normalisation("raw", channels, order)
        return found, Finding("normalisation", "none", "certain", "it takes bytes")
    if own:
        mean, std = asked.mean or (0.0,), asked.std or (1.0,)
        scale = 1 / _BYTE if asked.scale is None else asked.scale
        found = own_normalisation(mean, std, scale, channels, order)
        because = f"--mean, --std, --scale{_too(steps)}"
        return found, Finding("normalisation", _spell(found), "told", because)
    if asked.preset:
        found = preset_normalisation(asked.preset, channels, order)
        return found, Finding("normalisation", asked.preset, "told", f"--preset{_too(steps)}")
    seen = _seen(steps)
    if seen is None:
        raise CannotAdd(_question(steps))
    because = f"the graph itself begins with {_steps(steps)}; --preset overrides"
    found = preset_normalisation(seen, channels, order)
    return found, Finding("normalisation", seen, "likely", because)


def _seen(steps: FirstSteps) -> str | None:
    """Return the preset that the graph's own arithmetic is made for, if it shows."""
    if not steps.arithmetic:
        return None
    if steps.offset > 2 or 0 < steps.slope <= 0.1:
        return "raw"
    return "zero_one" if steps.slope > 1 and 0 < steps.offset < 1 else None


def _question(steps: FirstSteps) -> str:
    known = ", ".join(f"{name} ({preset.about})" for name, preset in PRESETS.items())
    seen = ""
    if steps.arithmetic:
        seen = f" The graph begins with {_steps(steps)}, which does not settle it."
    return (
        "A file does not tell which numbers its net was trained on, and a wrong guess spoils every "
        f"answer without a word.{seen} Say --preset, one of {known}; or --mean and --std, in units "
        "of 0..1 unless --scale says otherwise."
    )


def _too(steps: FirstSteps) -> str:
    return f"; the graph itself goes on with {_steps(steps)}" if steps.arithmetic else ""


def _steps(steps: FirstSteps) -> str:
    return ", ".join(steps.arithmetic)


def _spell(found: Normalisation) -> str:
    mean, std = (" ".join(f"{v:.4g}" for v in values) for values in (found.mean, found.std))
    return f"mean {mean}, std {std} of 0..1"


def _order(found: Normalisation, asked: Asked) -> Finding:
    value = "bgr" if found.reverse else "rgb"
    if len(found.mean) == 1:
        return Finding("channel order", "gray", "certain")
    if asked.channel_order:
        return Finding("channel order", value, "told", "--channel-order")
    if asked.preset and PRESETS[asked.preset].has_order:
        because = f"as {asked.preset} has it; --channel-order overrides"
        return Finding("channel order", value, "likely", because)
    because = "no file tells; --channel-order bgr overrides"
    return Finding("channel order", value, "unknown", because)
