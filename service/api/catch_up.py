"""What a process that is started again cannot find in the folder of models."""

from contextlib import suppress

from service.api.schemas import ModelList, UnloadedVersion
from service.api.siblings import Siblings
from service.contract.errors import NotServed
from service.live import LiveCatalog
from service.tasks.catalog import BY_HAND


async def catch_up(live: LiveCatalog, siblings: Siblings) -> None:
    """Let go what was unloaded by hand in the processes that went on."""
    for answer in (await siblings.ask("GET", b"/v1/models")).values():
        if answer.status == 200:
            for model in ModelList.model_validate_json(answer.body).models:
                for version in model.versions:
                    if isinstance(version, UnloadedVersion) and version.reason == BY_HAND:
                        with suppress(NotServed):
                            await live.unload(model.name, version.version)
            return
