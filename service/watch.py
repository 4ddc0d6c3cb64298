"""Looks again and again at the repository, for those who push without telling."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.contract.errors import SetupError
from service.live import LiveCatalog

_logger = logging.getLogger("convscope")


@asynccontextmanager
async def watching(live: LiveCatalog, every_s: float) -> AsyncIterator[None]:
    """Have the catalog follow its repository meanwhile; with zero it does not."""
    watcher = asyncio.create_task(_watch(live, every_s)) if every_s else None
    try:
        yield
    finally:
        if watcher:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher


async def _watch(live: LiveCatalog, every_s: float) -> None:
    # Looking works on network volumes and container mounts too, where inotify is silent.
    told = ""
    while True:
        await asyncio.sleep(every_s)
        try:
            await live.follow()
            told = ""
        except SetupError as error:
            if str(error) != told:  # a volume may be away for hours
                _logger.warning("The models stay as they are: %s", error)
            told = str(error)
        except Exception:
            _logger.exception("Looking after the models failed; it goes on.")
