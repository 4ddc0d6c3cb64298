"""The models that answer, by name and version, with what each can be asked."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from service.batching import Batcher
from service.contract.errors import (
    InvalidParameter,
    ModelNotReady,
    SetupError,
    UnknownModel,
    UnknownVersion,
    WrongTask,
)
from service.contract.manifest import Manifest, Task
from service.contract.refusal import Refusal
from service.tasks.classify import Classifier, Probabilities
from service.tasks.features import FeatureMaps
from service.tasks.listen import Heard, Listener, Recording
from service.tasks.reasons.explain import Reasons
from service.tasks.segment import Question, Segmented, Segmenter
from service.tasks.tally import Tally
from service.tasks.tensors import Tensors

Labels = tuple[str, str, str]  # name, version, execution provider
Verb = Literal["classify", "segment", "measure"]
_VERBS: dict[Task, Verb] = {
    "image-classification": "classify",
    "image-segmentation": "segment",
    "audio-classification": "classify",
    "audio-segmentation": "segment",
    "audio-regression": "measure",
}
# Why a version is not loaded, where somebody asked for that.
BY_HAND = "was unloaded by hand"


class Classifying(NamedTuple):
    """A classifier and its queue of pictures, in which its tensors wait as well."""

    task: Classifier
    queue: Batcher[bytes, Probabilities]
    tensors: Tensors


class Segmenting(NamedTuple):
    """A segmenter and its queue of pictures, in which its tensors wait as well."""

    task: Segmenter
    queue: Batcher[Question, Segmented]
    tensors: Tensors


class Listening(NamedTuple):
    """A listener, whether it classifies, segments or measures sounds, and its queue of them.

    Its tensors wait there as well.
    """

    task: Listener
    queue: Batcher[Recording, Heard]
    tensors: Tensors


Answering = Classifying | Segmenting | Listening


@dataclass(frozen=True)
class ServedModel:
    """One version that is ready.

    execution_provider: the one it really runs on.
    golden_difference: largest absolute difference from PyTorch's golden outputs.
    memory_bytes: of the weights, in every session that answers requests.
    answering: what it does with pictures or sounds, and the queue in which they wait for it.
    release: gives the memory of the sessions back; blocks.
    looked_into: what must be done before, beside the queue.
    tally: what it has answered.
    """

    manifest: Manifest
    execution_provider: str
    golden_difference: float
    memory_bytes: int
    answering: Answering
    features: FeatureMaps
    reasons: Reasons
    release: Callable[[], None]
    looked_into: set[asyncio.Future[None]] = field(default_factory=set, repr=False)
    tally: Tally = field(default_factory=Tally, repr=False)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being closed while inside; for what does not go through its queue."""
        done = asyncio.get_running_loop().create_future()
        self.looked_into.add(done)
        try:
            yield
        finally:
            self.looked_into.discard(done)
            done.set_result(None)

    @property
    def queue(self) -> Batcher[Any, Any]:
        """Where pictures, sounds and tensors wait for this version."""
        return self.answering.queue

    @property
    def tensors(self) -> Tensors:
        """What its graph takes and gives."""
        return self.answering.tensors

    @property
    def verb(self) -> Verb:
        """What it does with what it is sent."""
        return _VERBS[self.manifest.task]

    def classifying(self) -> Classifying:
        """Return its part as a classifier of pictures; raises WrongTask."""
        if isinstance(self.answering, Classifying):
            return self.answering
        raise self._wrong_task("classify")

    def segmenting(self) -> Segmenting:
        """Return its part as a segmenter of pictures; raises WrongTask."""
        if isinstance(self.answering, Segmenting):
            return self.answering
        raise self._wrong_task("segment")

    @property
    def listens(self) -> bool:
        """Whether it takes sounds, not pictures."""
        return isinstance(self.answering, Listening)

    def listening(self, verb: Verb) -> Listening:
        """Return its part as a listener that does what the verb says; raises WrongTask."""
        if isinstance(self.answering, Listening) and self.verb == verb:
            return self.answering
        raise self._wrong_task(verb)

    def check_has_classes(self, asked: str) -> None:
        """Raise WrongTask if it answers with numbers, of which `asked` makes nothing."""
        if self.verb == "measure":
            name, task = self.manifest.name, self.manifest.task
            raise WrongTask(f"The model {name!r} does {task}: {asked} is for models with classes.")

    def _wrong_task(self, asked: Verb) -> WrongTask:
        name, task = self.manifest.name, self.manifest.task
        return WrongTask(f"The model {name!r} does {task}: it cannot {asked}.")

    @property
    def labels(self) -> Labels:
        """What tells it from all others in figures."""
        return self.manifest.name, str(self.manifest.version), self.execution_provider

    async def close(self) -> None:
        """Let nothing more in, answer everything that was let in, and free the memory."""
        await self.queue.close()
        while self.looked_into:
            await asyncio.wait(self.looked_into)
        await asyncio.to_thread(self.release)


class Unloaded(NamedTuple):
    """A version that is neither served nor refused; `reason` continues "version 3"."""

    name: str
    version: int
    reason: str


class Catalog:
    """What is served, what was refused and what is not loaded, at one moment.

    default: the models for requests that name none, separated by commas: the first that does
        the task; None takes the only one there is.
    obstacles: why the server should not get requests, as sentences.
    names: of all models, of those too of which no version is ready.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        refusals: Iterable[Refusal],
        default: str | None,
        unloaded: Iterable[Unloaded] = (),
        obstacles: Iterable[str] = (),
    ) -> None:
        self._models: dict[str, dict[int, ServedModel]] = {}
        for model in sorted(models, key=lambda model: model.manifest.version):
            self._models.setdefault(model.manifest.name, {})[model.manifest.version] = model
        self.refusals = tuple(refusals)
        self.not_loaded = tuple(sorted(unloaded))
        self.obstacles = tuple(obstacles)
        refused = {refusal.name for refusal in self.refusals}
        at_rest = {rest.name for rest in self.not_loaded}
        self.names = sorted({*self._models, *refused, *at_rest})
        self._defaults = [name.strip() for name in (default or "").split(",") if name.strip()]

    def check_default(self) -> None:
        """Raises: SetupError if a default is not among the models."""
        for name in self._defaults:
            if name not in self.names:
                raise SetupError(
                    f"The default model {name!r} is not in the repository; "
                    f"it has {', '.join(self.names)}."
                )

    @property
    def ready(self) -> list[ServedModel]:
        """All versions of all models that may answer."""
        return [model for versions in self._models.values() for model in versions.values()]

    def versions(self, name: str) -> list[ServedModel]:
        """Return the ready versions of the model, lowest first; there may be none.

        Raises: UnknownModel.
        """
        if name not in self.names:
            raise UnknownModel(name, self.names)
        return list(self._models.get(name, {}).values())

    def refused(self, name: str) -> list[Refusal]:
        """Return the refused versions of the model."""
        return [refusal for refusal in self.refusals if refusal.name == name]

    def unloaded(self, name: str) -> list[Unloaded]:
        """Return the versions of the model that are not loaded."""
        return [unloaded for unloaded in self.not_loaded if unloaded.name == name]

    def get(self, name: str, version: int | None = None) -> ServedModel:
        """Return that version, or the highest one that is ready.

        Raises: UnknownModel; UnknownVersion; ModelNotReady if what was asked for was refused
            or is not loaded.
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
        at_rest = self.unloaded(name)
        for rest in reversed(at_rest):
            if version in (None, rest.version):
                raise ModelNotReady(f"Version {rest.version} of {name!r} {rest.reason}.")
        known = {*ready, *(rest.version for rest in at_rest)}
        known |= {refusal.version for refusal in refused if refusal.version}
        raise UnknownVersion(str(version), map(str, sorted(known)))

    def able(self, task: Task) -> list[str]:
        """Return the names of the models that do the task and are ready, in order."""
        return sorted({m.manifest.name for m in self.ready if m.manifest.task == task})

    def default(self, task: Task) -> ServedModel:
        """Return the model of that task for requests that name none.

        Raises: ModelNotReady if none is ready; InvalidParameter if it is not clear which.
        """
        obstacles = []
        for name in self._defaults:
            try:
                chosen = self._default_called(name)
            except ModelNotReady as error:  # nobody knows which task it would do
                obstacles.append(error)
            else:
                if chosen.manifest.task == task:
                    return chosen
        if obstacles:
            raise obstacles[0]
        able = self.able(task)
        if not able:
            raise ModelNotReady(f"No model for {task} is ready to answer; see /readyz for why.")
        if len(able) > 1:
            raise InvalidParameter(
                f"Several models do {task} ({', '.join(able)}): name the one you mean, or set a "
                "default with --default-model or CONVSCOPE_DEFAULT_MODEL."
            )
        return self.get(able[0])

    def _default_called(self, name: str) -> ServedModel:
        if name not in self.names:
            raise ModelNotReady(f"The default model {name!r} is gone.")
        return self.get(name)
