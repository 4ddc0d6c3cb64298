"""Where a request goes that names no model: what was sent decides between pictures and sounds."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from service.codecs.sound import is_sound
from service.contract.errors import ConvscopeError, InvalidParameter
from service.contract.manifest import Task
from service.tasks.catalog import Catalog, ServedModel


class Share(NamedTuple):
    """The files that go to one task's default model. numbers: their places in the request."""

    task: Task
    numbers: list[int]


class ByContent(NamedTuple):
    """What answers one kind of question: a task for pictures, and one for sounds."""

    pictures: Task
    sounds: Task

    def check(self, catalog: Catalog, check: Callable[[ServedModel], None]) -> None:
        """Raise what will be the answer whatever the body is; call it before that is read.

        check: raises if the model cannot answer.
        """
        refusals: list[ConvscopeError] = []
        for task in self.offered(catalog):
            try:
                check(catalog.default(task))
            except ConvscopeError as error:
                refusals.append(error)
            else:
                return
        unclear = any(isinstance(error, InvalidParameter) for error in refusals)
        if len(refusals) == 1 or not unclear:  # else the body tells which of them is true
            raise refusals[-1]

    def shares(self, catalog: Catalog, files: Sequence[bytes]) -> list[Share]:
        """Return which files go where; all to the same where only one kind of model is ready."""
        tasks = [self.task_for(is_sound(file), catalog) for file in files]
        return [
            Share(task, [number for number, of in enumerate(tasks) if of == task])
            for task in dict.fromkeys(tasks)
        ]

    def task_for(self, sound: bool, catalog: Catalog) -> Task:
        """Return the task whose default model gets a file, by whether that is a sound."""
        offered = self.offered(catalog)
        return self[sound] if len(offered) > 1 else offered[0]

    def offered(self, catalog: Catalog) -> list[Task]:
        """Return the tasks that a model is ready for; that for pictures if there is none."""
        return [task for task in self if catalog.able(task)] or [self.pictures]


CLASSIFY = ByContent("image-classification", "audio-classification")
SEGMENT = ByContent("image-segmentation", "audio-segmentation")
