"""Everything that can go wrong, as one tree. Nothing here knows of HTTP.

ConvscopeError
├── InputError                what was sent cannot be answered
│   ├── EmptyInput            no bytes at all
│   ├── UnsupportedMedia      the bytes are no format we read
│   ├── InvalidImage          an image, but broken
│   ├── InvalidAudio          a sound, but broken or cut short
│   ├── TooLarge              over a limit on bytes, pixels, samples or files
│   │   └── HeadTooLarge      over the limit on what introduces a request
│   ├── SlowRequest           it took too long to arrive
│   ├── InvalidParameter      an argument outside its range
│   └── WrongTask             the model answers other questions than this
├── NotServed                 the thing asked for is not here
│   ├── UnknownModel
│   ├── UnknownVersion
│   └── UnknownLayer
├── NotOffered                a part of a protocol that this server does without
├── ModelNotReady             the model is here, but must not answer
├── CannotLoad                the model is here, but must not be made to answer
├── NotEverywhere             done in this process, but not in every other
├── Unauthorized              no valid key came with the request
├── Forbidden                 the key that came does not open this, or no key does
├── Overloaded                there is more to do than can be done; try again later
├── DeadlineExceeded          the answer would come too late
├── DeviceFault               the device broke while it was running a model
└── SetupError                the operator has to act
    ├── InvalidModel          a model folder breaks the contract
    └── DeviceUnavailable     the device asked for does not work
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches


class ConvscopeError(Exception):
    """Root of the tree; `str(error)` is a sentence fit for the person who asked."""


class InputError(ConvscopeError):
    """What was sent cannot be answered."""


class EmptyInput(InputError):
    """There were no bytes at all."""


class UnsupportedMedia(InputError):
    """The bytes are in no format that is read here."""


class InvalidImage(InputError):
    """The bytes begin like an image but cannot be decoded."""


class InvalidAudio(InputError):
    """The bytes begin like a sound but cannot be decoded to finite samples, or not wholly."""


class TooLarge(InputError):
    """A limit on bytes, pixels, samples or files was passed."""


class HeadTooLarge(TooLarge):
    """What introduces the request passed its own limit."""


class SlowRequest(InputError):
    """It took longer to arrive than anybody waits."""


class InvalidParameter(InputError):
    """An argument is outside its range."""


class WrongTask(InputError):
    """The model is here, but answers other questions than the one that was asked."""


class NotServed(ConvscopeError):
    """A name that was asked for is not here; carries the nearest names that are.

    asked: the name as the caller wrote it.
    known: every name that would have worked.
    """

    noun = "thing"

    def __init__(self, asked: str, known: Iterable[str]) -> None:
        self.nearest = tuple(nearest_names(asked, known))
        hint = f" Did you mean {_alternatives(self.nearest)}?" if self.nearest else ""
        super().__init__(f"There is no {self.noun} {asked[:200]!r}.{hint}")


class UnknownModel(NotServed):
    """No model of that name is served."""

    noun = "model"


class UnknownVersion(NotServed):
    """The model is served, but not in that version."""

    noun = "version"


class UnknownLayer(NotServed):
    """The model has no layer of that name."""

    noun = "layer"


class NotOffered(ConvscopeError):
    """A part of a protocol that this server does without."""


class ModelNotReady(ConvscopeError):
    """The model is known but was refused or is not loaded, so it must not answer."""


class Unauthorized(ConvscopeError):
    """No valid key came with the request."""


class Forbidden(ConvscopeError):
    """The key that came with the request does not open this, or there is none that would."""


class CannotLoad(ConvscopeError):
    """A version that is to be loaded breaks the contract, or the policy does not want it."""


class NotEverywhere(ConvscopeError):
    """What was asked for is done in this process, but not in all that serve with it."""


class Overloaded(ConvscopeError):
    """There is more to do than can be done; carries when to try again, in whole seconds."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class DeadlineExceeded(ConvscopeError):
    """The answer would come later than the client, or the server, allows."""


class DeviceFault(ConvscopeError):
    """The device broke while it was running a model; only a new process can use it again."""


class SetupError(ConvscopeError):
    """Only the operator can put this right."""


class InvalidModel(SetupError):
    """A model folder breaks the contract.

    file: the offending file, relative to the model repository.
    reason: what is wrong with it, as a sentence.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


class DeviceUnavailable(SetupError):
    """The device that was asked for does not work on this machine."""


def nearest_names(asked: str, known: Iterable[str], most: int = 5) -> list[str]:
    """Return up to `most` of the `known` names, nearest to `asked` first.

    Names that contain what was asked for come before merely similar ones.

    >>> nearest_names("conv1", ["conf", "layer1.0.conv1/Conv", "fc/Gemm"])
    ['layer1.0.conv1/Conv', 'conf']
    """
    names = list(known)
    asked = asked[:200]  # difflib is quadratic in the length, and this text came from outside
    inside = [name for name in names if asked and asked.lower() in name.lower()]
    similar = get_close_matches(asked, names, n=most, cutoff=0.5)
    return list(dict.fromkeys([*inside, *similar]))[:most]


def slug_of(kind: type[Exception]) -> str:
    """Return what an error is called outside of Python.

    >>> slug_of(InvalidImage)
    'invalid-image'
    """
    return re.sub(r"(?<!^)([A-Z])", r"-\1", kind.__name__).lower()


def _alternatives(names: tuple[str, ...]) -> str:
    return " or ".join(repr(name) for name in names)
