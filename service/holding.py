"""What is known of every version folder, and which of them are to be served.

A holding never changes; what happens to a folder makes a new one of it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from service.contract.refusal import Refusal
from service.places import Look, Place, Sighting
from service.policy import Policy
from service.tasks.catalog import ServedModel


@dataclass(frozen=True)
class Holding:
    """One folder.

    seen: what lies there, as far as it was taken note of.
    tried: whether its content was loaded or refused.
    served: what answers for it. If there is a refusal too, it is of an earlier content.
    by_hand: somebody asked for it not to be served.
    since_start: it was refused when the server started, and has been ever since.
    """

    seen: Sighting
    tried: bool = False
    served: ServedModel | None = None
    refusal: Refusal | None = None
    by_hand: bool = False
    since_start: bool = False

    @property
    def folder(self) -> Path:
        """The folder, by which holdings are told apart."""
        return self.seen.place.folder

    @property
    def name(self) -> str:
        """The model's name."""
        return self.seen.place.name

    @property
    def version(self) -> int | None:
        """The version; None where the folder's name is none."""
        return self.seen.place.version

    @property
    def shown_as(self) -> str:
        """`name/version`, or the folder's name where that is no version."""
        obstacle = self.seen.place.obstacle
        return obstacle.file if obstacle else f"{self.name}/{self.version}"

    @property
    def hopeful(self) -> bool:
        """Whether it answers or may prove to be able to."""
        good = self.served is not None or self.refusal is None
        return good and not self.by_hand and self.version is not None

    def found_good(self, model: ServedModel) -> "Holding":
        """Return it with its content served."""
        return Holding(self.seen, tried=True, served=model)

    def found_bad(self, refusal: Refusal) -> "Holding":
        """Return it with its content refused; what was served before goes on being."""
        return replace(self, tried=True, refusal=refusal)

    def at_rest(self, by_hand: bool = False) -> "Holding":
        """Return it with nothing served and nothing refused."""
        return Holding(self.seen, by_hand=by_hand)

    def at_start(self) -> "Holding":
        """Return it as it was when the server started."""
        return replace(self, since_start=self.refusal is not None)

    def another_chance(self) -> "Holding":
        """Return it as it must be for its content to be tried, if it is not served already."""
        if self.by_hand or self.refusal:
            return replace(self, tried=False, by_hand=False, refusal=self.seen.place.obstacle)
        return self


Holdings = dict[Path, Holding]


def taken_note(holdings: Holdings, look: Look) -> Holdings:
    """Return the holdings as the look at the repository shows them.

    New folders join, gone ones leave, and changed ones are untried.
    """
    return {folder: _noted(holdings.get(folder), seen) for folder, seen in look.items()}


def wanted(holdings: Holdings, policy: Policy) -> set[Path]:
    """Return the folders that are to be served."""
    hopeful: dict[str, dict[int, Path]] = {}
    for folder, holding in holdings.items():
        if holding.hopeful and holding.version is not None:
            hopeful.setdefault(holding.name, {})[holding.version] = folder
    return {
        versions[version]
        for name, versions in hopeful.items()
        for version in policy.wanted(name, versions)
    }


def narrowed(look: Look, holdings: Holdings, name: str, version: int | None) -> Look:
    """Return the look for that model or version, and what is known already for all others."""

    def is_asked(place: Place) -> bool:
        return place.name == name and version in (None, place.version)

    known = {folder: holding.seen for folder, holding in holdings.items()}
    others = {folder: seen for folder, seen in known.items() if not is_asked(seen.place)}
    return others | {folder: seen for folder, seen in look.items() if is_asked(seen.place)}


def steady(holdings: Holdings, before: Look, look: Look) -> Look:
    """Return what both looks agree on, and for what they do not, what is known already."""
    folders = {*holdings, *look}
    agreed = {folder for folder in folders if look.get(folder) == before.get(folder)}
    known = {folder: holding.seen for folder, holding in holdings.items()}
    return {
        folder: seen
        for folder in folders
        if (seen := (look if folder in agreed else known).get(folder))
    }


def _noted(known: Holding | None, seen: Sighting) -> Holding:
    if known and known.seen == seen:
        return known
    obstacle = seen.place.obstacle
    if known and not obstacle:
        # what answers goes on doing so until the new content has proven itself
        return replace(known, seen=seen, tried=False, refusal=None, by_hand=False)
    return Holding(seen, refusal=obstacle, since_start=bool(known and known.since_start))
