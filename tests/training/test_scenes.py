from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import SetupError
from service.contract.preprocess import preprocess_image
from service.contract.specs import ImagePreprocessing
from tests.training.scene_folders import CLASSES, COLORS, write_boxes, write_mask, write_scene
from training.data.canvas import to_canvas
from training.data.layouts import InvalidData
from training.data.mask_classes import read_classes
from training.data.masks import read_mask
from training.data.scene_layouts import load_scenes
from training.data.scene_splits import open_scenes, scenes_with_validation
from training.data.warp import VOID


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write_boxes(tmp_path / "boxes")


def spec(resize: str, height: int, width: int, multiple: int = 1) -> ImagePreprocessing:
    return ImagePreprocessing(
        color="rgb",
        resize=resize,
        height=height,
        width=width,
        multiple=multiple,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
    )


def test_folder_of_pictures_and_masks_is_read(boxes: Path) -> None:
    """Ids become class indices in the order of classes.csv, and what is ignored is void."""
    scenes = load_scenes(boxes)

    assert scenes.classes == ("sky", "brick", "grass")
    assert scenes.colors == COLORS
    assert len(scenes.splits["train"]) == 14
    pixels, mask = scenes.splits["train"].pair(0)
    assert pixels.shape == (40, 56, 3)
    assert set(np.unique(mask)) == {0, 1, 2, VOID}
    assert (mask[:, 0] == VOID).all()
    for index, color in enumerate(COLORS):
        np.testing.assert_allclose(pixels[mask == index].mean(0), color, atol=4)


def test_plain_folder_gets_a_fixed_test_part(boxes: Path) -> None:
    """Scenes are held out by their names alone: test is the same for every seed."""
    parts = [scenes_with_validation(open_scenes(str(boxes)), 0.3, seed) for seed in (1, 2)]

    tests = [part.splits["test"].names for part in parts]
    validations = [part.splits["validation"].names for part in parts]
    assert tests[0] == tests[1]
    assert validations[0] != validations[1]
    for part in parts:
        names = [name for split in part.splits.values() for name in split.names]
        assert len(names) == len(set(names)) == 14


def test_split_folders_are_recognised(tmp_path: Path) -> None:
    """train/, val/ and test/ are taken as they are, with masks or labels in them."""
    for seed, name in enumerate(("train", "val", "test")):
        write_scene(tmp_path / name, f"s{seed}", seed)
        (tmp_path / name / "masks").rename(tmp_path / name / "labels")
    (tmp_path / "classes.csv").write_text(CLASSES)

    scenes = scenes_with_validation(open_scenes(str(tmp_path)), 0.2, 0)

    assert {split: list(part.names) for split, part in scenes.splits.items()} == {
        "train": ["train/images/s0.png"],
        "validation": ["val/images/s1.png"],
        "test": ["test/images/s2.png"],
    }


def test_lists_say_what_belongs_to_a_split(boxes: Path) -> None:
    """With lists beside one pair of folders, each split has its stems, and no other is used."""
    (boxes / "train.txt").write_text("scene3\nscene1\n\n")
    (boxes / "test.txt").write_text("scene2\n")
    (boxes / "masks" / "scene9.png").unlink()

    scenes = load_scenes(boxes)

    assert list(scenes.splits["train"].names) == ["images/scene3.png", "images/scene1.png"]
    assert list(scenes.splits["test"].names) == ["images/scene2.png"]


def test_digest_sees_every_mask(boxes: Path) -> None:
    """One pixel of one mask makes it another data set."""
    before = load_scenes(boxes).digest()
    file = boxes / "masks" / "scene5.png"
    ids = np.array(Image.open(file))
    ids[3, 3] = 7 if ids[3, 3] != 7 else 0
    write_mask(file, ids)

    assert load_scenes(boxes).digest() != before


def save(boxes: Path, pixels: np.ndarray, mode: str | None = None) -> None:
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(boxes / "masks" / "scene0.png")


def test_masks_may_be_gray_or_coloured(boxes: Path) -> None:
    """Gray values are ids, RGB pixels class colours; both say the same as a palette."""
    train = load_scenes(boxes).splits["train"]
    ids, expected = np.array(Image.open(boxes / "masks" / "scene0.png")), train.mask(0)
    palette = np.zeros((256, 3), np.uint8)
    palette[[0, 4, 7, 9]] = [*COLORS, (0, 0, 0)]

    for pixels in (ids, ids.astype(np.uint16), palette[ids]):
        save(boxes, pixels)
        np.testing.assert_array_equal(train.mask(0), expected)


@pytest.mark.parametrize("white", [1, 255])
def test_black_and_white_is_a_case_of_it(tmp_path: Path, white: int) -> None:
    """A mask of 0 and 255, or of one bit, has two classes; ids need not follow on one another."""
    file = tmp_path / "classes.csv"
    file.write_text(f"id,name,r,g,b\n0,other,0,0,0\n{white},cat,255,255,255\n")
    classes = read_classes(file)
    pixels = np.zeros((4, 4), np.uint8)
    pixels[1:3, 2] = white

    for picture in (Image.fromarray(pixels), Image.fromarray(pixels > 0)):
        picture.save(tmp_path / "mask.png")
        assert read_mask(tmp_path / "mask.png", classes).tolist() == (pixels > 0).tolist()


def _unknown_value(boxes: Path) -> None:
    ids = np.zeros((40, 56), np.uint8)
    ids[0, :5] = 3
    save(boxes, ids)


def _far_value(boxes: Path) -> None:
    save(boxes, np.full((40, 56), 65_535, np.uint16))


def _unknown_color(boxes: Path) -> None:
    save(boxes, np.full((40, 56, 3), 17, np.uint8))


def _transparent(boxes: Path) -> None:
    save(boxes, np.zeros((40, 56, 4), np.uint8))


def _gray_with_alpha(boxes: Path) -> None:
    save(boxes, np.zeros((40, 56), np.uint8), "LA")


def _wrong_size(boxes: Path) -> None:
    save(boxes, np.zeros((56, 40), np.uint8))


def _broken_mask(boxes: Path) -> None:
    file = boxes / "masks" / "scene0.png"
    file.write_bytes(file.read_bytes()[:60])


def _lossy_mask(boxes: Path) -> None:
    file = boxes / "masks" / "scene0.png"
    Image.new("L", (56, 40)).save(file, format="JPEG")


def _missing_mask(boxes: Path) -> None:
    (boxes / "masks" / "scene0.png").unlink()


def _missing_picture(boxes: Path) -> None:
    (boxes / "images" / "scene0.png").unlink()


def _broken_picture(boxes: Path) -> None:
    (boxes / "images" / "scene0.png").write_bytes(b"no picture")


def _two_pictures(boxes: Path) -> None:
    Image.new("RGB", (56, 40)).save(boxes / "images" / "scene0.jpg")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_unknown_value, r"masks/scene0\.png: the value 3 \(5 pixels\).*has 0, 4, 7, 9"),
        (_far_value, r"masks/scene0\.png: the value 65535"),
        (_unknown_color, r"masks/scene0\.png: the colour \(17, 17, 17\) \(2240 pixels\)"),
        (_transparent, r"masks/scene0\.png: a mask must not be transparent"),
        (_gray_with_alpha, r"masks/scene0\.png: .*not LA"),
        (_wrong_size, r"images/scene0\.png: the picture has 56x40 pixels, its mask 40x56"),
        (_broken_mask, r"masks/scene0\.png: cannot be read"),
        (_lossy_mask, r"masks/scene0\.png: cannot be read as a PNG"),
        (_missing_mask, r"images/scene0\.png: has no mask .*masks/scene0\.png"),
        (_missing_picture, r"masks/scene0\.png: there is no picture"),
        (_broken_picture, r"images/scene0\.png"),
        (_two_pictures, r"images/scene0\.png: scene0\.jpg has the same name"),
    ],
)
def test_wrong_mask_or_picture_is_named(
    boxes: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    """Nothing is skipped or guessed: the message says which file is wrong, and how."""
    spoil(boxes)

    with pytest.raises(InvalidData, match=complaint):
        load_scenes(boxes).splits["train"].model_inputs(spec("same_area", 40, 56))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lacks the columns b, g, id, name, r"),
        ("id,name,r,g,b\n", "names 0 classes"),
        ("id,name,r,g,b\n0,sky,1,2,3\n", "names 1 classes"),
        ("id,name\n0,sky\n", "lacks the columns b, g, r"),
        ("id,name,r,g,b\n0,sky,1,2,3\n0,road,4,5,6\n", r"line 3: another class has the id 0"),
        ("id,name,r,g,b\n0,sky,1,2,3\n1,sky,4,5,6\n", r"line 3: .*name 'sky'"),
        ("id,name,r,g,b\n0,sky,1,2,3\n1,road,1,2,3\n", r"line 3: .*colour \(1, 2, 3\)"),
        ("id,name,r,g,b\n0,sky,1,2,256\n", "line 2: b is '256'"),
        ("id,name,r,g,b\n0,sky,1,,3\n", "line 2: g is ''"),
        ("id,name,r,g,b\n0,sky,1,2\n", "line 2: b is ''"),
        ("id,name,r,g,b\n-1,sky,1,2,3\n", "line 2: id is '-1'"),
        ("id,name,r,g,b\n0, ,1,2,3\n", "line 2: the class has no name"),
        ("id,name,r,g,b,ignore\n0,sky,1,2,3,yes\n", "line 2: ignore is 'yes'"),
    ],
)
def test_wrong_list_of_classes_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    """The message says the line of classes.csv and what is wrong with it."""
    file = tmp_path / "classes.csv"
    file.write_text(text)

    with pytest.raises(InvalidData, match=complaint):
        read_classes(file)


def test_spreadsheets_list_of_classes_is_read(tmp_path: Path) -> None:
    """A byte order mark, spaces, Windows line ends and an empty `ignore` do no harm."""
    file = tmp_path / "classes.csv"
    file.write_bytes(
        "\ufeffid, name, r, g, b, ignore\r\n0, a, 0, 0, 0,\r\n5, b, 1, 1, 1, 0".encode()
    )

    classes = read_classes(file)

    assert classes.labels == ("a", "b")
    assert classes.by_id == {0: 0, 5: 1}


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "classes.csv").unlink(), "classes.csv"),
        (lambda folder: (folder / "masks").rename(folder / "other"), "masks and labels"),
        (lambda folder: (folder / "images").rename(folder / "other"), "neither"),
        (lambda folder: (folder / "train.txt").write_text("scene77"), r"train\.txt.*scene77"),
        (lambda folder: (folder / "train.txt").write_text("scene1\nscene1"), "twice"),
    ],
)
def test_folder_of_another_layout_is_refused(
    boxes: Path, spoil: Callable[[Path], object], complaint: str
) -> None:
    """What is missing is named."""
    spoil(boxes)

    with pytest.raises(InvalidData, match=complaint):
        load_scenes(boxes)


def test_two_scenes_are_too_few_to_hold_one_out(tmp_path: Path) -> None:
    """Train, validation and test need a scene each."""
    with pytest.raises(SetupError, match="has 2 training pictures"):
        open_scenes(str(write_boxes(tmp_path / "boxes", count=2)))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((180, 240), spec("same_area", 90, 120, 16)),
        ((181, 239), spec("same_area", 90, 120, 16)),
        ((90, 120), spec("none", 90, 120, 16)),
        ((33, 77), spec("squash", 32, 48)),
        ((33, 77), spec("letterbox", 32, 48)),
    ],
)
def test_picture_is_trained_on_as_it_is_served(
    size: tuple[int, int], wanted: ImagePreprocessing
) -> None:
    """The canvas is what the service's own preprocessing makes, to the last pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)

    canvas, mask = to_canvas(pixels, np.ones(size, np.uint8), wanted)

    np.testing.assert_array_equal(canvas, preprocess_image(pixels, wanted))
    assert mask.shape == canvas.shape[:2] == wanted.reference_size
    assert set(np.unique(mask)) <= {1, VOID}


def test_padding_is_void_in_the_mask() -> None:
    """Where the canvas shows no part of the picture, there is nothing to learn."""
    pixels, mask = np.zeros((40, 40, 3), np.uint8), np.ones((40, 40), np.uint8)

    for resize, known in (
        ("letterbox", np.s_[:, 10:50]),
        ("same_area", np.s_[:40, :40]),
        ("none", np.s_[:40, :40]),
    ):
        _, padded = to_canvas(pixels, mask, spec(resize, 40, 60))
        expected = np.full((40, 60), VOID)
        expected[known] = 1
        np.testing.assert_array_equal(padded, expected)


def test_picture_too_large_for_a_recipe_that_does_not_resize_is_named(boxes: Path) -> None:
    """`none` neither shrinks nor cuts; the message says how large the picture is."""
    with pytest.raises(InvalidData, match=r"scene0\.png: the picture has 56x40"):
        load_scenes(boxes).splits["train"].model_inputs(spec("none", 32, 56))
