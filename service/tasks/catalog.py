"""The models that answer, by name and version, with what each can be asked."""

from collections.abc import Iterable
from dataclasses import dataclass

from service.contract.errors import (
    InvalidParameter,
    ModelNotReady,
    SetupError,
    UnknownModel,
    UnknownVersion,
)
from service.contract.manifest import Manifest
from service.contract.refusal import Refusal
from service.tasks.classify import Classifier
from service.tasks.features import FeatureMaps


@dataclass(frozen=True)
class ServedModel:
    """One version that is ready.

    execution_provider: the one it really runs on.
    golden_difference: largest absolute difference from PyTorch's golden outputs.
    """

    manifest: Manifest
    execution_provider: str
    golden_difference: float
    classifier: Classifier
    features: FeatureMaps


class Catalog:
    """What is served and what was refused.

    default: the model for requests that name none; None takes the only one there is.
    Raises: SetupError if the default is not among the models.
    """

    def __init__(
        self, models: Iterable[ServedModel], refusals: Iterable[Refusal], default: str | None
    ) -> None:
        self._models: dict[str, dict[int, ServedModel]] = {}
        for model in sorted(models, key=lambda model: model.manifest.version):
            self._models.setdefault(model.manifest.name, {})[model.manifest.version] = model
        self.refusals = tuple(refusals)
        self._default = default
        if default is not None and default not in self.names:
            raise SetupError(
                f"The default model {default!r} is not in the repository; "
                f"it has {', '.join(self.names)}."
            )

    @property
    def names(self) -> list[str]:
        """The names of all models, of those too of which every version was refused."""
        return sorted({*self._models, *(refusal.name for refusal in self.refusals)})

    def versions(self, name: str) -> list[ServedModel]:
        """Return the ready versions of the model, lowest first; none if all were refused.

        Raises: UnknownModel.
        """
        if name not in self.names:
            raise UnknownModel(name, self.names)
        return list(self._models.get(name, {}).values())

    def refused(self, name: str) -> list[Refusal]:
        """Return the refused versions of the model."""
        return [refusal for refusal in self.refusals if refusal.name == name]

    def get(self, name: str, version: int | None = None) -> ServedModel:
        """Return that version, or the highest one that is ready.

        Raises: UnknownModel; UnknownVersion; ModelNotReady if what was asked for was refused.
        """
        ready = {model.manifest.version: model for model in self.versions(name)}
        wanted = max(ready, default=None) if version is None else version
        if wanted in ready:
            return ready[wanted]
        refused = self.refused(name)
        for refusal in refused:
            if version is None or refusal.version == version:
                raise ModelNotReady(
                    f"The model {name!r} was refused: {refusal.file}: {refusal.reason}."
                )
        known = [*ready, *(refusal.version for refusal in refused if refusal.version)]
        raise UnknownVersion(str(version), map(str, known))

    def default(self) -> ServedModel:
        """Return the model for requests that name none.

        Raises: ModelNotReady if none is ready; InvalidParameter if it is not clear which.
        """
        if self._default is not None:
            return self.get(self._default)
        if not self._models:
            raise ModelNotReady("No model is ready to answer; see /readyz for why.")
        if len(self._models) > 1:
            raise InvalidParameter(
                f"Several models are served ({', '.join(sorted(self._models))}): name the one "
                "you mean, or set a default with --default-model or CONVSCOPE_DEFAULT_MODEL."
            )
        return self.get(next(iter(self._models)))
