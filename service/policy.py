"""Which versions of a model are to be served."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.contract.errors import SetupError

PolicyName = Literal["latest", "all", "pinned"]


@dataclass(frozen=True)
class Policy:
    """A rule that is the same for all models, but for pins.

    pins: by model, the one version that is wanted under `pinned`; other models
        follow `latest` then.
    """

    name: PolicyName = "all"
    pins: Mapping[str, int] = field(default_factory=dict)

    def wanted(self, model: str, versions: Collection[int]) -> set[int]:
        """Return the wanted ones of the versions that are good or may yet prove to be.

        >>> Policy("latest").wanted("cifar10", [2, 10])
        {10}
        """
        if self.name == "all":
            return set(versions)
        if model in self.pins:
            return {self.pins[model]}.intersection(versions)
        return {max(versions)} if versions else set()

    def check_pins(self, there: Iterable[tuple[str, int | None]]) -> None:
        """Raises: SetupError if a pin is not among the models and versions that are there."""
        known = set(there)
        for model, version in self.pins.items():
            if (model, version) not in known:
                versions = sorted(number for name, number in known if name == model and number)
                told = ", ".join(map(str, versions)) or "none"
                raise SetupError(
                    f"The pin {model}={version} is not in the repository; "
                    f"its versions of {model} are: {told}."
                )


def read_policy(name: PolicyName, pins: str | None) -> Policy:
    """Return the policy that the settings spell.

    pins: such as "cifar10=3,digits=1".
    Raises: SetupError if the pins cannot be understood, or the policy has no use for them.

    >>> read_policy("pinned", "cifar10=3, digits=1").pins
    {'cifar10': 3, 'digits': 1}
    """
    if (name == "pinned") != (pins is not None):
        raise SetupError(
            "The policy 'pinned' and pins need each other: "
            "--policy pinned --pins cifar10=3 serves version 3 of cifar10."
        )
    return Policy(name, dict(_read_pin(pin.strip()) for pin in pins.split(",")) if pins else {})


def _read_pin(pin: str) -> tuple[str, int]:
    model, _, version = pin.partition("=")
    if not model or not version.isdecimal() or int(version) == 0:
        raise SetupError(f"The pin {pin!r} must be a model and a version, such as cifar10=3.")
    return model, int(version)
