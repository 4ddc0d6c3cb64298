from pathlib import Path

import pytest

from service.api.by_content import CLASSIFY, SEGMENT, Share
from service.contract.errors import InvalidParameter, ModelNotReady, Overloaded
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import Catalog, ServedModel
from service.wiring import open_live
from tests.api.client import Client
from tests.pictures import flat
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_spans

FILES = [flat("red"), stored(tone(1)), b"text", stored(tone(1), kind="MP3")]
PICTURES, SOUNDS = "image-classification", "audio-classification"


def catalog(root: Path) -> Catalog:
    return open_live(Settings(models_dir=root, device="cpu", threads=1), Runners(1)).catalog


def pass_all(model: ServedModel) -> None:
    """Whatever is asked, there is room."""


def full(model: ServedModel) -> None:
    raise Overloaded(model.manifest.name)


def test_each_kind_has_its_model(tmp_path: Path) -> None:
    """Sounds go to one, and everything else to the other, which will say what is wrong with it."""
    write_model(tmp_path)
    write_listener(tmp_path)
    assert CLASSIFY.shares(catalog(tmp_path), FILES) == [
        Share(PICTURES, [0, 2]),
        Share(SOUNDS, [1, 3]),
    ]


@pytest.mark.parametrize(("write", "task"), [(write_model, PICTURES), (write_listener, SOUNDS)])
def test_only_model_gets_everything(tmp_path: Path, write: object, task: str) -> None:
    """Where one kind is served, that model tells what it takes."""
    assert callable(write)
    write(tmp_path)
    assert CLASSIFY.shares(catalog(tmp_path), FILES) == [Share(task, [0, 1, 2, 3])]


def test_refused_before_the_body_is_read_if_none_could_answer(tmp_path: Path) -> None:
    """As long as one of the two has room, the body decides."""
    write_model(tmp_path)
    write_listener(tmp_path)
    served = catalog(tmp_path)
    CLASSIFY.check(served, pass_all)
    CLASSIFY.check(served, lambda model: full(model) if model.listens else None)
    CLASSIFY.check(served, lambda model: None if model.listens else full(model))
    with pytest.raises(Overloaded):
        CLASSIFY.check(served, full)


def test_nothing_that_could_answer_is_told(tmp_path: Path) -> None:
    """Without a segmenter of any kind, and where it is not clear which of several is meant."""
    write_model(tmp_path)
    with pytest.raises(ModelNotReady, match="No model for image-segmentation"):
        SEGMENT.check(catalog(tmp_path), pass_all)
    write_spans(tmp_path, "one")
    write_spans(tmp_path, "two")
    with pytest.raises(InvalidParameter, match="one, two"):
        SEGMENT.check(catalog(tmp_path), pass_all)


def test_body_decides_which_of_several_models_are_meant(tmp_path: Path) -> None:
    """A picture is not told of models for sounds, where there are several for either."""
    for name in ("red", "blue"):
        write_model(tmp_path, name)
        write_listener(tmp_path, f"{name}_noise")
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=1)) as client:
        for file, told in zip(FILES[:2], ("image", "audio"), strict=True):
            answer = client.post("/v1/classify", content=file)
            assert answer.status_code == 422
            assert f"Several models do {told}-classification" in answer.json()["detail"]
