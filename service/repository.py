"""Loads every model version under a folder that keeps the contract."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from service.contract.errors import InvalidModel
from service.contract.refusal import Refusal
from service.cpus import available_cpus
from service.device import ANYWHERE, Placement
from service.loader import LoadedModel, load_version
from service.places import Place, find_places
from service.runtime import check_custom_ops, choose_provider


@dataclass(frozen=True)
class Repository:
    """What a folder of models held: the versions that may answer, and those that must not."""

    models: tuple[LoadedModel, ...]
    refusals: tuple[Refusal, ...]


def load_repository(root: Path, placement: Placement = ANYWHERE) -> Repository:
    """Load every `<root>/<name>/<version>/`; a bad one is listed and harms no other.

    Raises: SetupError if there is no such folder or no model in it;
        DeviceUnavailable if the device asked for does not work, or the operators do not.
    """
    choose_provider(placement.device)
    if placement.custom_ops:
        check_custom_ops(placement.custom_ops)
    found = find_places(root)

    def load(place: Place) -> LoadedModel | Refusal:
        if place.obstacle:
            return place.obstacle
        try:
            return load_version(place.folder, root, placement)
        except InvalidModel as error:
            return Refusal.of(place.name, place.version, error)

    with ThreadPoolExecutor(min(available_cpus(), len(found))) as pool:
        outcomes = list(pool.map(load, found))
    return Repository(
        tuple(outcome for outcome in outcomes if isinstance(outcome, LoadedModel)),
        tuple(outcome for outcome in outcomes if isinstance(outcome, Refusal)),
    )
