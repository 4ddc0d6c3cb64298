"""The models that answer now, and their coming and going while requests are answered."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from service.contract.errors import (
    CannotLoad,
    DeviceUnavailable,
    InvalidModel,
    UnknownModel,
    UnknownVersion,
)
from service.contract.refusal import Refusal
from service.holding import Holding, Holdings, narrowed, steady, taken_note, wanted
from service.places import Look, Place, look_around
from service.policy import Policy
from service.snapshot import snapshot
from service.tasks.catalog import Catalog, ServedModel

_logger = logging.getLogger("convscope")
_Loads = Callable[[Iterable[Holding]], Iterator[Holding]]


class Changes(NamedTuple):
    """What came and went, as `name/version`.

    loaded: what has new content too.
    refused: where an earlier content was served, it still is.
    """

    loaded: tuple[str, ...] = ()
    unloaded: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


class LiveCatalog:
    """What is served now, kept in step with a folder of models.

    What is new is loaded and proven first; then `catalog` is replaced in one step, on the
    event loop; then what is no longer in it is let go, as soon as all that it had accepted
    is answered. A request that takes a model from `catalog` and puts itself into its queue
    without awaiting anything in between can therefore not be lost.

    root: the folder of models.
    load: makes the version at a place ready to answer; blocks. Raises: InvalidModel,
        which keeps that version from being served and harms no other.
    default: the model for requests that name none.
    """

    def __init__(
        self, root: Path, load: Callable[[Place], ServedModel], policy: Policy, default: str | None
    ) -> None:
        self._root = root
        self._load = load
        self._policy = policy
        self._default = default
        self._holdings: Holdings = {}
        self._last_look: Look = {}
        self._once_served: set[str] = set()
        self._changing = asyncio.Lock()
        self.catalog = Catalog([], [], default)

    @property
    def policy(self) -> Policy:
        """Which versions are wanted."""
        return self._policy

    def start(self, at_once: int) -> None:
        """Load what is wanted, so many versions at once; blocks.

        Raises: SetupError if there is nothing to serve, or a pin or the default is not there.
        """
        noted = taken_note({}, look_around(self._root))
        self._policy.check_pins((holding.name, holding.version) for holding in noted.values())
        with ThreadPoolExecutor(at_once) as pool:
            settled = self._settle(noted, lambda untried: pool.map(self._try, untried))
        self._swap({folder: holding.at_start() for folder, holding in settled.items()})
        self.catalog.check_default()

    async def rescan(self) -> Changes:
        """Serve what is new or changed in the repository, and let go what is gone.

        Raises: SetupError if the repository cannot be read or is empty, as it is when a
            volume went away; then everything stays as it was.
        """
        async with self._changing:
            return await self._change(taken_note(self._holdings, await self._look()))

    async def follow(self) -> Changes:
        """Do what `rescan` does, but only for what looks as it did when last followed.

        What does not is still being copied.
        """
        async with self._changing:
            before, self._last_look = self._last_look, await self._look()
            noted = taken_note(self._holdings, steady(self._holdings, before, self._last_look))
            return Changes() if noted == self._holdings else await self._change(noted)

    async def load(self, name: str, version: int | None = None) -> Changes:
        """Load what the policy wants of the model, even if it was unloaded by hand or refused.

        What is served and has not changed stays as it is.
        Raises: UnknownModel; UnknownVersion; CannotLoad if that version, or every one
            of the model, is refused or not wanted; SetupError as for `rescan`.
        """
        async with self._changing:
            look = narrowed(await self._look(), self._holdings, name, version)
            noted = taken_note(self._holdings, look)
            asked = _asked(noted, name, version)
            chances = {holding.folder: holding.another_chance() for holding in asked}
            changes = await self._change(noted | chances)
            asked = _asked(self._holdings, name, version)
            if not any(holding.served for holding in asked) or (version and asked[0].refusal):
                raise CannotLoad(self._why_not(asked))
            return changes

    async def unload(self, name: str, version: int | None = None) -> Changes:
        """Let the model or the version go until it is loaded by hand or its files change.

        Under the policy `latest`, the next lower version that is good takes its place first.
        Raises: UnknownModel; UnknownVersion.
        """
        async with self._changing:
            resting = {
                holding.folder: holding.at_rest(by_hand=True)
                for holding in _asked(self._holdings, name, version)
                if holding.version is not None
            }
            return await self._change(self._holdings | resting)

    async def close(self) -> None:
        """Return when everything that the models accepted is answered."""
        await asyncio.gather(*(model.close() for model in self.catalog.ready))

    async def _look(self) -> Look:
        return await asyncio.to_thread(look_around, self._root)

    async def _change(self, noted: Holdings) -> Changes:
        """Load what is wanted of the holdings, swap, and let go what is no longer wanted."""
        # One after another: what is being served needs the processors.
        loads: _Loads = functools.partial(map, self._try)
        settled = await asyncio.to_thread(self._settle, noted, loads)
        before, left = self._holdings, self.catalog.ready
        self._swap(settled)
        changes = _compare(before, self._holdings)
        _log(changes, self._holdings)
        still = set(map(id, self.catalog.ready))
        await asyncio.gather(*(model.close() for model in left if id(model) not in still))
        return changes

    def _settle(self, noted: Holdings, loads: _Loads) -> Holdings:
        """Return the holdings with all that is wanted either served or refused; blocks."""
        settled = dict(noted)
        while untried := [
            settled[folder] for folder in wanted(settled, self._policy) if not settled[folder].tried
        ]:
            settled |= {holding.folder: holding for holding in loads(untried)}
        return settled

    def _try(self, holding: Holding) -> Holding:
        place = holding.seen.place
        try:
            return holding.found_good(self._load(place))
        except InvalidModel as error:
            return holding.found_bad(Refusal.of(place.name, place.version, error))
        except DeviceUnavailable:
            raise
        except Exception as error:  # one broken version must not keep all others from changing
            _logger.exception("loading %s failed", holding.shown_as)
            reason = f"cannot be loaded: {type(error).__name__}: {error}"
            refusal = Refusal(place.name, place.version, holding.shown_as, reason)
            return holding.found_bad(refusal)

    def _swap(self, settled: Holdings) -> None:
        """Make the holdings the current ones, with only what is wanted served."""
        serving = wanted(settled, self._policy)
        self._holdings = {
            folder: holding if folder in serving or not holding.served else holding.at_rest()
            for folder, holding in settled.items()
        }
        holdings = self._holdings.values()
        there = {holding.name for holding in holdings}
        self._once_served &= there
        self._once_served |= {holding.name for holding in holdings if holding.served}
        self.catalog = snapshot(holdings, self._policy, self._default, self._once_served)

    def _why_not(self, asked: list[Holding]) -> str:
        refusals = [holding.refusal for holding in asked if holding.refusal]
        if not refusals:
            return f"The policy {self._policy.name!r} does not want it to be served."
        return "; ".join(f"{refusal.file}: {refusal.reason}" for refusal in refusals)


def _asked(holdings: Holdings, name: str, version: int | None) -> list[Holding]:
    """Return the holdings of the model, or the one of that version.

    Raises: UnknownModel; UnknownVersion.
    """
    model = [holding for holding in holdings.values() if holding.name == name]
    if not model:
        raise UnknownModel(name, {holding.name for holding in holdings.values()})
    asked = [holding for holding in model if version in (None, holding.version)]
    if not asked:
        known = [str(holding.version) for holding in model if holding.version is not None]
        raise UnknownVersion(str(version), known)
    return asked


def _compare(before: Holdings, after: Holdings) -> Changes:
    served_before = {folder: holding.served for folder, holding in before.items()}
    served_after = {folder: holding.served for folder, holding in after.items()}
    refused_before = {id(holding.refusal) for holding in before.values()}
    return Changes(
        loaded=tuple(
            holding.shown_as
            for folder, holding in after.items()
            if holding.served and holding.served is not served_before.get(folder)
        ),
        unloaded=tuple(
            holding.shown_as
            for folder, holding in before.items()
            if holding.served and not served_after.get(folder)
        ),
        refused=tuple(
            holding.shown_as
            for holding in after.values()
            if holding.refusal and id(holding.refusal) not in refused_before
        ),
    )


def _log(changes: Changes, after: Holdings) -> None:
    for name in changes.loaded:
        _logger.info("loaded %s", name)
    for name in changes.unloaded:
        _logger.info("unloaded %s", name)
    for holding in after.values():
        if holding.refusal and holding.shown_as in changes.refused:
            _logger.warning("refused %s: %s", holding.refusal.file, holding.refusal.reason)
