"""A model that was found but does not keep the contract."""

from typing import NamedTuple

from service.contract.errors import InvalidModel


class Refusal(NamedTuple):
    """Why a folder of the repository is not served.

    version: None where the folder's name is no version.
    file: the offending file, relative to the repository.
    """

    name: str
    version: int | None
    file: str
    reason: str

    @classmethod
    def of(cls, name: str, version: int | None, error: InvalidModel) -> "Refusal":
        """Return the refusal that the error stands for."""
        return cls(name, version, error.file, error.reason)
