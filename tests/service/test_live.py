"""Models that come and go, with real ones on disk."""

import asyncio
import gc
import shutil
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession

from service.contract.errors import (
    CannotLoad,
    ModelNotReady,
    SetupError,
    UnknownModel,
    UnknownVersion,
)
from service.live import Changes, LiveCatalog
from service.runners import Runners
from service.settings import Settings
from service.ticket import Ran
from service.watch import watching
from service.wiring import open_live
from tests.pictures import flat
from tests.tiny_models import write_model

PATIENCE_S = 60
LOOK_S = 0.02


@asynccontextmanager
async def live(root: Path, **settings: Any) -> AsyncIterator[LiveCatalog]:
    """A live catalog of the folder, on one thread."""
    runners = Runners(1)
    chosen = Settings(models_dir=root, device="cpu", threads=1, **settings)
    catalog = await asyncio.to_thread(open_live, chosen, runners)
    yield catalog
    await catalog.close()
    await asyncio.to_thread(runners.close)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), PATIENCE_S))


def ready(catalog: LiveCatalog) -> list[str]:
    return ["/".join(model.labels[:2]) for model in catalog.catalog.ready]


def refused(catalog: LiveCatalog) -> list[str]:
    return [refusal.file for refusal in catalog.catalog.refusals]


def spoil(folder: Path) -> None:
    """Break the contract."""
    (folder / "CARD.md").unlink()


def replace_in_place(root: Path, version: int = 1, sharpness: float = 1) -> Path:
    """Put other content where that version of colors lies."""
    shutil.rmtree(root / "colors" / str(version))
    return write_model(root, "colors", version, sharpness=sharpness)


async def certainty(catalog: LiveCatalog, name: str = "colors") -> float:
    """Return how sure the model is that red is red; sharper models are surer."""
    (answer,) = await catalog.catalog.get(name).queue.enqueue([flat("red")]).outcomes()
    assert isinstance(answer, Ran)
    return float(np.max(answer.output))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(LOOK_S)


def sessions() -> "weakref.WeakSet[InferenceSession]":
    """Return all that hold weights now."""
    found = (thing for thing in gc.get_objects() if type(thing) is InferenceSession)
    return weakref.WeakSet(found)


def test_new_version_answers_after_a_rescan(tmp_path: Path) -> None:
    """What was pushed is loaded, and the highest one answers."""

    async def test() -> None:
        write_model(tmp_path, version=1, sharpness=1)
        async with live(tmp_path) as catalog:
            before = await certainty(catalog)
            write_model(tmp_path, version=2, sharpness=10)
            write_model(tmp_path, "other")
            assert ready(catalog) == ["colors/1"]
            assert await catalog.rescan() == Changes(loaded=("colors/2", "other/1"))
            assert ready(catalog) == ["colors/1", "colors/2", "other/1"]
            assert await certainty(catalog) > before
            assert await catalog.rescan() == Changes()

    run(test)


def test_version_changed_in_place_is_loaded_again(tmp_path: Path) -> None:
    """The same name with other files is another model."""

    async def test() -> None:
        write_model(tmp_path, sharpness=10)
        async with live(tmp_path) as catalog:
            before = await certainty(catalog)
            replace_in_place(tmp_path, sharpness=1)
            assert await catalog.rescan() == Changes(loaded=("colors/1",))
            assert await certainty(catalog) < before

    run(test)


def test_removed_version_is_let_go(tmp_path: Path) -> None:
    """A version without a folder is unknown, and so is a model without versions."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        write_model(tmp_path, version=2)
        write_model(tmp_path, "other")
        async with live(tmp_path) as catalog:
            shutil.rmtree(tmp_path / "colors" / "2")
            shutil.rmtree(tmp_path / "other")
            assert await catalog.rescan() == Changes(unloaded=("colors/2", "other/1"))
            assert ready(catalog) == ["colors/1"]
            with pytest.raises(UnknownVersion):
                catalog.catalog.get("colors", 2)
            with pytest.raises(UnknownModel):
                catalog.catalog.get("other")

    run(test)


def test_broken_push_leaves_what_was_served(tmp_path: Path) -> None:
    """A new version and new content that break the contract are told, and harm nothing."""

    async def test() -> None:
        write_model(tmp_path, sharpness=10)
        async with live(tmp_path) as catalog:
            before, model = await certainty(catalog), catalog.catalog.get("colors")
            spoil(replace_in_place(tmp_path, sharpness=1))
            spoil(write_model(tmp_path, version=2))
            assert await catalog.rescan() == Changes(refused=("colors/1", "colors/2"))
            assert catalog.catalog.get("colors") is model
            assert await certainty(catalog) == before
            assert refused(catalog) == ["colors/1/CARD.md", "colors/2/CARD.md"]

    run(test)


def test_refused_content_is_tried_again_only_when_it_changed(tmp_path: Path) -> None:
    """The same bad folder is not loaded at every look; a mended one is."""

    async def test() -> None:
        write_model(tmp_path)
        async with live(tmp_path) as catalog:
            bad = write_model(tmp_path, version=2)
            card = bad / "CARD.md"
            text = card.read_text()
            card.unlink()
            assert (await catalog.rescan()).refused == ("colors/2",)
            assert await catalog.rescan() == Changes()
            card.write_text(text)
            assert await catalog.rescan() == Changes(loaded=("colors/2",))
            assert refused(catalog) == []

    run(test)


def test_unloaded_model_stays_away_until_it_is_asked_for(tmp_path: Path) -> None:
    """By hand out, by hand in; a rescan does not bring it back."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        write_model(tmp_path, version=2)
        async with live(tmp_path) as catalog:
            assert (await catalog.unload("colors")).unloaded == ("colors/1", "colors/2")
            assert await catalog.rescan() == await catalog.unload("colors") == Changes()
            for version in (None, 1):
                with pytest.raises(ModelNotReady, match="was unloaded by hand"):
                    catalog.catalog.get("colors", version)
            assert await catalog.load("colors", 1) == Changes(loaded=("colors/1",))
            assert await catalog.load("colors", 1) == Changes()
            assert ready(catalog) == ["colors/1"]
            assert await catalog.load("colors") == Changes(loaded=("colors/2",))

    run(test)


def test_unloaded_version_comes_back_when_its_files_change(tmp_path: Path) -> None:
    """Who pushes anew wants it served."""

    async def test() -> None:
        write_model(tmp_path, sharpness=10)
        async with live(tmp_path) as catalog:
            await catalog.unload("colors", 1)
            replace_in_place(tmp_path, sharpness=1)
            assert await catalog.rescan() == Changes(loaded=("colors/1",))

    run(test)


def test_unloaded_model_is_freed(tmp_path: Path) -> None:
    """Its sessions go at once, whoever still refers to it; those of its feature maps with it."""

    async def test() -> None:
        write_model(tmp_path, "other")
        async with live(tmp_path) as catalog:
            others = set(sessions())
            write_model(tmp_path)
            await catalog.rescan()
            model = catalog.catalog.get("colors")
            await certainty(catalog)
            serving = weakref.WeakSet(set(sessions()) - others)
            model.features.compute("conv", np.zeros((1, 8, 8, 3), np.uint8))
            everything = weakref.WeakSet(set(sessions()) - others)
            assert (len(serving), len(everything)) == (1, 2)
            await catalog.unload("colors")
            assert not set(serving)
            with pytest.raises(ModelNotReady):
                model.classifying().task.classify(flat("red"), 1)
            gone = weakref.ref(model)
            del model
            gc.collect()
            assert gone() is None
            assert not set(everything)

    run(test)


def test_what_was_accepted_is_answered_before_a_model_goes(tmp_path: Path) -> None:
    """Unloading waits for the requests that it finds, and lets in no more."""

    async def test() -> None:
        write_model(tmp_path)
        async with live(tmp_path) as catalog:
            queue = catalog.catalog.get("colors").queue
            accepted = [queue.enqueue([flat("red")]) for _ in range(20)]
            answers = asyncio.gather(*(ticket.outcomes() for ticket in accepted))
            await catalog.unload("colors")
            assert all(isinstance(answer, Ran) for (answer,) in await answers)
            with pytest.raises(ModelNotReady):
                queue.enqueue([flat("red")])

    run(test)


def test_changes_happen_one_at_a_time(tmp_path: Path) -> None:
    """Many at once end as if they had come one after the other, and load each version once."""

    async def test() -> None:
        write_model(tmp_path)
        async with live(tmp_path) as catalog:
            write_model(tmp_path, version=2)
            changes = await asyncio.gather(*(catalog.rescan() for _ in range(5)))
            assert sorted(changes)[-1] == Changes(loaded=("colors/2",))
            assert sorted(changes)[:-1] == [Changes()] * 4

    run(test)


@pytest.mark.parametrize(
    ("name", "version", "error"),
    [("colours", None, UnknownModel), ("colors", 9, UnknownVersion)],
)
def test_what_is_not_there_can_be_neither_loaded_nor_unloaded(
    tmp_path: Path, name: str, version: int | None, error: type[Exception]
) -> None:
    """The error names what is near."""

    async def test() -> None:
        write_model(tmp_path)
        async with live(tmp_path) as catalog:
            with pytest.raises(error):
                await catalog.load(name, version)
            with pytest.raises(error):
                await catalog.unload(name, version)

    run(test)


def test_loading_what_is_broken_tells_why(tmp_path: Path) -> None:
    """It is tried anew each time it is asked for, and what is served stays."""

    async def test() -> None:
        write_model(tmp_path)
        bad = write_model(tmp_path, version=2)
        card = (bad / "CARD.md").read_text()
        spoil(bad)
        async with live(tmp_path) as catalog:
            with pytest.raises(CannotLoad, match=r"colors/2/CARD\.md: is missing"):
                await catalog.load("colors", 2)
            assert await catalog.load("colors") == Changes(refused=("colors/2",))
            (bad / "CARD.md").write_text(card)
            assert await catalog.load("colors") == Changes(loaded=("colors/2",))

    run(test)


def test_latest_serves_the_highest_good_version(tmp_path: Path) -> None:
    """A newer one takes its place, a bad one does not, and when it goes the next lower serves."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        write_model(tmp_path, version=2)
        async with live(tmp_path, policy="latest") as catalog:
            assert ready(catalog) == ["colors/2"]
            with pytest.raises(ModelNotReady, match="not wanted by the policy 'latest'"):
                catalog.catalog.get("colors", 1)
            with pytest.raises(CannotLoad, match="'latest' does not want"):
                await catalog.load("colors", 1)
            write_model(tmp_path, version=10)
            assert await catalog.rescan() == Changes(("colors/10",), ("colors/2",))
            spoil(write_model(tmp_path, version=11))
            assert await catalog.rescan() == Changes(refused=("colors/11",))
            assert ready(catalog) == ["colors/10"]
            assert await catalog.unload("colors", 10) == Changes(("colors/2",), ("colors/10",))
            shutil.rmtree(tmp_path / "colors" / "2")
            assert await catalog.rescan() == Changes(("colors/1",), ("colors/2",))

    run(test)


def test_latest_starts_with_the_next_lower_version_if_the_highest_is_bad(tmp_path: Path) -> None:
    """It is served, but the server is not ready: the rollout was to bring version 2."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        spoil(write_model(tmp_path, version=2))
        async with live(tmp_path, policy="latest") as catalog:
            assert ready(catalog) == ["colors/1"]
            assert catalog.catalog.obstacles == ("colors/2/CARD.md: is missing",)
            write_model(tmp_path, version=3)
            await catalog.rescan()
            assert catalog.catalog.obstacles == ()

    run(test)


def test_pinned_version_is_served_and_no_other(tmp_path: Path) -> None:
    """Models without a pin follow `latest`."""

    async def test() -> None:
        for version in (1, 2, 3):
            write_model(tmp_path, version=version)
            write_model(tmp_path, "other", version)
        async with live(tmp_path, policy="pinned", pins="colors=2") as catalog:
            assert ready(catalog) == ["colors/2", "other/3"]
            write_model(tmp_path, version=4)
            write_model(tmp_path, "other", 4)
            assert await catalog.rescan() == Changes(("other/4",), ("other/3",))

    run(test)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"policy": "pinned", "pins": "colors=3"}, "its versions of colors are: 1"),
        ({"policy": "pinned", "pins": "colours=1"}, "its versions of colours are: none"),
        ({"policy": "pinned", "pins": "colors"}, "must be a model and a version"),
        ({"policy": "pinned", "pins": "colors=0"}, "must be a model and a version"),
        ({"policy": "pinned"}, "need each other"),
        ({"pins": "colors=1"}, "need each other"),
    ],
)
def test_unfit_pins_stop_the_start(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    """A pin that pins nothing is a mistake."""
    write_model(tmp_path)
    runners = Runners(1)
    with pytest.raises(SetupError, match=told):
        open_live(Settings(models_dir=tmp_path, device="cpu", **settings), runners)
    runners.close()


def test_only_what_was_refused_at_the_start_makes_the_server_unready(tmp_path: Path) -> None:
    """A rollout must stop; a later push that is bad must not stop what goes on well."""

    async def test() -> None:
        write_model(tmp_path)
        bad = write_model(tmp_path, version=2)
        spoil(bad)
        async with live(tmp_path) as catalog:
            (bad / "note").touch()
            await catalog.rescan()
            assert catalog.catalog.obstacles == ("colors/2/CARD.md: is missing",)
            shutil.rmtree(bad)
            await catalog.rescan()
            assert catalog.catalog.obstacles == ()
            spoil(write_model(tmp_path, version=3))
            spoil(write_model(tmp_path, "other"))
            spoil(replace_in_place(tmp_path))
            assert len((await catalog.rescan()).refused) == 3
            assert catalog.catalog.obstacles == ()

    run(test)


def test_model_that_lost_its_last_version_makes_the_server_unready(tmp_path: Path) -> None:
    """Unless somebody unloaded it, or took the whole model away."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        write_model(tmp_path, "other")
        async with live(tmp_path) as catalog:
            shutil.rmtree(tmp_path / "colors" / "1")
            spoil(write_model(tmp_path, version=2))
            await catalog.unload("other")
            await catalog.rescan()
            assert catalog.catalog.obstacles == ("colors: none of its versions is ready any more",)
            await catalog.unload("colors")
            assert catalog.catalog.obstacles == ()
            await catalog.load("other")
            shutil.rmtree(tmp_path / "colors")
            await catalog.rescan()
            assert catalog.catalog.obstacles == ()

    run(test)


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_repository_that_goes_away_changes_nothing(tmp_path: Path, how: str) -> None:
    """A volume that is not there is no wish to serve nothing."""

    async def test() -> None:
        root, away = tmp_path / "models", tmp_path / "away"
        write_model(root)
        async with live(root) as catalog:
            root.rename(away)
            if how == "empty":
                root.mkdir()
            with pytest.raises(SetupError):
                await catalog.rescan()
            assert await certainty(catalog) > 0.9

    run(test)


def test_feature_maps_never_come_from_other_files(tmp_path: Path) -> None:
    """After a bad push over a served version, its maps are refused, not made of other weights."""

    async def test() -> None:
        write_model(tmp_path, sharpness=10)
        async with live(tmp_path) as catalog:
            spoil(replace_in_place(tmp_path, sharpness=1))
            await catalog.rescan()
            model = catalog.catalog.get("colors")
            with pytest.raises(ModelNotReady, match="changed since it was loaded"):
                model.features.layers()

    run(test)


def test_watcher_follows_what_happens_in_the_folder(tmp_path: Path) -> None:
    """Pushed, changed, broken, mended and removed without a word to the server."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        async with live(tmp_path) as catalog, watching(catalog, LOOK_S):
            write_model(tmp_path, version=2, sharpness=10)
            await until(lambda: ready(catalog) == ["colors/1", "colors/2"])
            before = catalog.catalog.get("colors", 2)
            replace_in_place(tmp_path, 2, sharpness=1)
            await until(lambda: catalog.catalog.get("colors", 2) is not before)
            spoil(tmp_path / "colors" / "2")
            await until(lambda: refused(catalog) == ["colors/2/CARD.md"])
            (tmp_path / "colors" / "2" / "CARD.md").touch()
            await until(lambda: not refused(catalog))
            shutil.rmtree(tmp_path / "colors" / "1")
            await until(lambda: ready(catalog) == ["colors/2"])

    run(test)


def test_folder_that_is_being_copied_is_left_alone(tmp_path: Path) -> None:
    """Nothing is loaded, or let go, before two looks running saw the same."""

    async def test() -> None:
        root = tmp_path / "models"
        write_model(root, version=1)
        source = write_model(tmp_path / "source", version=2)
        async with live(root) as catalog:
            target = root / "colors" / "2"
            target.mkdir()
            for file in sorted(source.iterdir()):
                shutil.copy(file, target)
                assert await catalog.follow() == Changes()
            assert await catalog.follow() == Changes(loaded=("colors/2",))
            away = root / "colors" / ".away"
            target.rename(away)
            assert await catalog.follow() == Changes()
            away.rename(target)
            assert await catalog.follow() == await catalog.follow() == Changes()
            target.rename(away)
            assert await catalog.follow() == Changes()
            assert await catalog.follow() == Changes(unloaded=("colors/2",))

    run(test)


def test_push_that_was_announced_is_not_undone_by_the_watcher(tmp_path: Path) -> None:
    """What a rescan loaded between two looks stays."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        async with live(tmp_path) as catalog:
            await catalog.follow()
            write_model(tmp_path, version=2)
            await catalog.rescan()
            assert await catalog.follow() == await catalog.follow() == Changes()
            assert ready(catalog) == ["colors/1", "colors/2"]

    run(test)


def test_watcher_survives_its_errors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that was away is followed again when it is back; the log has it once."""

    async def test() -> None:
        root, away = tmp_path / "models", tmp_path / "away"
        write_model(root)
        async with live(root) as catalog, watching(catalog, LOOK_S):
            root.rename(away)
            await until(lambda: "cannot be read" in caplog.text)
            away.rename(root)
            write_model(root, version=2)
            await until(lambda: ready(catalog) == ["colors/1", "colors/2"])
        assert caplog.text.count("cannot be read") == 1

    run(test)


def test_hidden_folder_is_the_place_to_copy_to(tmp_path: Path) -> None:
    """What is made ready beside the others and then renamed appears whole."""

    async def test() -> None:
        write_model(tmp_path, version=1)
        async with live(tmp_path) as catalog:
            hidden = tmp_path / "colors" / ".2.new"
            write_model(tmp_path, version=2).rename(hidden)
            assert await catalog.rescan() == Changes()
            hidden.rename(tmp_path / "colors" / "2")
            assert await catalog.rescan() == Changes(loaded=("colors/2",))

    run(test)


def test_failure_that_nobody_foresaw_harms_one_version_only(tmp_path: Path) -> None:
    """Such as a link that leads to itself."""

    async def test() -> None:
        write_model(tmp_path)
        async with live(tmp_path) as catalog:
            card = write_model(tmp_path, version=2) / "CARD.md"
            card.unlink()
            card.symlink_to(card)
            write_model(tmp_path, version=3)
            changes = await catalog.rescan()
            assert changes == Changes(loaded=("colors/3",), refused=("colors/2",))

    run(test)
