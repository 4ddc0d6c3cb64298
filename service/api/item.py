"""One picture or one window of a sound, ready to be looked into."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.tasks.catalog import Listening, ServedModel
from service.tasks.sound_window import SoundWindow, window_at


@dataclass(frozen=True)
class Item:
    """What is looked at.

    file: as it was sent.
    inputs: (1, ...), what the model gets.
    window: of a sound; None for a picture.
    """

    model: ServedModel
    file: bytes = field(repr=False)
    inputs: NDArray[Any] = field(repr=False)
    window: SoundWindow | None


def open_item(model: ServedModel, file: bytes, start_s: float) -> Item:
    """Return the picture, or the window of the sound that begins there.

    Raises: what decoding a picture or a sound raises; InvalidParameter if the sound is over by
        then.
    """
    if isinstance(model.answering, Listening):
        listener = model.answering.task
        window = window_at(file, start_s, listener.spec, listener.limits)
        return Item(model, file, window.waveform[np.newaxis], window)
    return Item(model, file, model.answering.task.model_input(file)[np.newaxis], None)
