from pathlib import Path

import pytest

from service.contract.errors import (
    InvalidParameter,
    ModelNotReady,
    SetupError,
    UnknownModel,
    UnknownVersion,
    WrongTask,
)
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import Catalog
from service.wiring import open_live
from tests.tiny_models import write_listener, write_model, write_spans


def catalog(root: Path, default: str | None = None) -> Catalog:
    settings = Settings(models_dir=root, device="cpu", default_model=default)
    return open_live(settings, Runners(1)).catalog


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Versions 2 and 10 of colors are good, 11 is not; every version of bad is bad."""
    write_model(tmp_path, "colors", 2)
    write_model(tmp_path, "colors", 10)
    (write_model(tmp_path, "colors", 11) / "CARD.md").unlink()
    (write_model(tmp_path, "bad", 1) / "CARD.md").unlink()
    return tmp_path


def test_highest_good_version_answers_unless_one_is_pinned(root: Path) -> None:
    """Ten is more than two, and a refused version does not count."""
    served = catalog(root)
    assert served.get("colors").manifest.version == 10
    assert served.get("colors", 2).manifest.version == 2


def test_what_was_refused_is_not_ready(root: Path) -> None:
    """Known but refused is another answer than unknown, and brings the reason."""
    served = catalog(root)
    for name, version in [("bad", None), ("bad", 1), ("colors", 11)]:
        with pytest.raises(ModelNotReady, match=r"CARD\.md: is missing"):
            served.get(name, version)


def test_what_was_never_there_is_unknown(root: Path) -> None:
    """Unknown names and versions bring the nearest ones."""
    served = catalog(root)
    with pytest.raises(UnknownModel) as model:
        served.get("color")
    assert model.value.nearest == ("colors",)
    with pytest.raises(UnknownVersion) as version:
        served.get("colors", 1)
    assert version.value.nearest == ("10", "11")


def test_only_model_is_the_default(root: Path) -> None:
    """Where one model can answer, nobody needs to name it."""
    assert catalog(root).default("image-classification").manifest.name == "colors"


def test_among_several_the_default_must_be_set(root: Path) -> None:
    """Nothing is guessed: the message names the models and the setting."""
    write_model(root, "other", 1)
    with pytest.raises(InvalidParameter, match=r"colors, other.*--default-model"):
        catalog(root).default("image-classification")
    assert catalog(root, "other").default("image-classification").manifest.name == "other"


def test_each_task_may_have_its_default(root: Path) -> None:
    """Of several defaults the first that does the task is taken, else the only one able."""
    write_model(root, "other", 1)
    write_listener(root, "near")
    write_listener(root, "far")
    write_spans(root)
    served = catalog(root, "other, far,near")
    assert served.default("image-classification").manifest.name == "other"
    assert served.default("audio-classification").manifest.name == "far"
    assert served.default("audio-segmentation").manifest.name == "pauses"
    with pytest.raises(InvalidParameter, match="colors, other"):
        catalog(root, "far").default("image-classification")
    with pytest.raises(SetupError, match="'nix' is not in the repository"):
        catalog(root, "other,nix")


def test_default_that_was_refused_spares_other_tasks(root: Path) -> None:
    """Its own task has no default then, and that is told; the other goes on."""
    write_listener(root)
    served = catalog(root, "bad,loudness")
    assert served.default("audio-classification").manifest.name == "loudness"
    with pytest.raises(ModelNotReady, match="'bad' was refused"):
        served.default("image-classification")


def test_model_of_sounds_does_what_its_task_says(root: Path) -> None:
    """Whoever asks for something else is told what it does."""
    write_listener(root)
    write_spans(root)
    served = catalog(root)
    assert served.get("loudness").listening("classify").queue is served.get("loudness").queue
    for name, verb in (("loudness", "segment"), ("pauses", "classify"), ("colors", "classify")):
        with pytest.raises(WrongTask):
            served.get(name).listening(verb)
    with pytest.raises(WrongTask, match="does audio-classification: it cannot segment"):
        served.get("loudness").segmenting()


def test_no_ready_model_is_told(tmp_path: Path) -> None:
    """If all were refused, the default is not ready either."""
    (write_model(tmp_path) / "CARD.md").unlink()
    with pytest.raises(ModelNotReady):
        catalog(tmp_path).default("image-classification")


def test_default_that_does_not_exist_stops_the_start(root: Path) -> None:
    """A misspelt default is found at once and not by the first client."""
    with pytest.raises(SetupError, match="'colours' is not in the repository; it has bad, colors"):
        catalog(root, "colours")
