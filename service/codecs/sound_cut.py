"""The error of a sound of which a part is missing."""

from service.contract.errors import InvalidAudio


def cut_short(promised_s: float, found_s: float) -> InvalidAudio:
    """Return what to raise when a sound ends before it says; both lengths in seconds."""
    return InvalidAudio(
        f"The sound is cut short or broken: it says that it lasts {promised_s:,.2f} s, "
        f"but only {found_s:,.2f} s of it can be decoded."
    )
