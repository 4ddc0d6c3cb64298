"""Why a file cannot be added."""

from service.contract.errors import SetupError


class CannotAdd(SetupError):
    """The file, or what was said of it, does not make a version; the sentence names the way out."""
