"""Opens a segmentation data set and holds out what it lacks."""

from pathlib import Path

import numpy as np

from service.contract.errors import SetupError
from training.data.scene_layouts import load_scenes
from training.data.scenes import Scenes, SceneSet
from training.data.splits import TEST_SEED, TEST_SHARE, lot


def open_scenes(data: str) -> SceneSet:
    """Return the data set at the path `data` with a test split.

    Where it has none of its own, about a tenth is held out, always the same one.
    Raises: SetupError if the data cannot be read.
    """
    scenes = load_scenes(Path(data))
    if "test" in scenes.splits:
        return scenes
    return _hold_out(scenes, "test", TEST_SHARE, TEST_SEED)


def scenes_with_validation(scenes: SceneSet, share: float, seed: int) -> SceneSet:
    """Return the data set with a validation split, held out of train unless it has its own."""
    if "validation" in scenes.splits:
        return scenes
    return _hold_out(scenes, "validation", share, seed)


def _hold_out(scenes: SceneSet, split: str, share: float, seed: int) -> SceneSet:
    """Return the data set with some `share` of train moved to a new split, one scene at least.

    Whether a scene is moved depends on its own name alone, as with labelled pictures.
    """
    train = scenes.splits["train"]
    if len(train) < 3:
        raise SetupError(
            f"{scenes.name}: has {len(train)} training pictures; three are the least from which "
            f"a {split} part can be held out"
        )
    lots = np.array([lot(name, split, seed) for name in train.names])
    held = lots < share
    held[lots.argmin()], held[lots.argmax()] = True, False
    parts: dict[str, Scenes] = {
        **scenes.splits,
        "train": train.subset(np.flatnonzero(~held)),
        split: train.subset(np.flatnonzero(held)),
    }
    return SceneSet(scenes.name, scenes.classes, scenes.colors, parts)
