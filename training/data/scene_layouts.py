"""Reads segmentation data sets: folders of pictures beside folders of masks."""

from pathlib import Path

from training.data.layouts import SPLIT_FOLDERS, InvalidData, decoder, is_picture
from training.data.mask_classes import CLASSES_NAME, MaskClasses, read_classes
from training.data.masks import read_mask
from training.data.scenes import Scenes, SceneSet

MASK_FOLDERS = ("masks", "labels")
Pair = tuple[Path, Path]


def load_scenes(path: Path) -> SceneSet:
    """Return the data set at `path`, which has a `classes.csv` (see `read_classes`) and either

    `train/images/STEM.jpg` and `train/masks/STEM.png`, with `val/` and `test/` beside, or
    `images/STEM.jpg` and `masks/STEM.png`, which are the `train` split.
    Masks may also lie in `labels`. Where there is a `train.txt` (`val.txt`, `test.txt`), it
    names the stems of that split, one a line, and nothing else is used.
    Raises: InvalidData naming what is missing, or what has no counterpart.
    """
    if not path.is_dir():
        raise InvalidData(f"{path}: there is no such folder")
    classes = read_classes(path / CLASSES_NAME)
    splits: dict[str, Scenes] = {}
    for name, split in SPLIT_FOLDERS.items():
        pairs = _pairs_of_split(path, name)
        if pairs is not None:
            splits[split] = _scenes(path, pairs, classes)
    if "train" not in splits:
        raise InvalidData(f"{path}: has neither train/images nor images")
    return SceneSet(path.resolve().name, classes.labels, classes.colors, splits)


def _pairs_of_split(path: Path, name: str) -> list[Pair] | None:
    listed = path / f"{name}.txt"
    stems = _read_list(listed) if listed.is_file() else None
    if (path / name).is_dir():
        return _pairs(path / name, stems, listed)
    has_folders = any((path / folder).is_dir() for folder in SPLIT_FOLDERS)
    if stems is not None or (name == "train" and not has_folders):
        return _pairs(path, stems, listed) if (path / "images").is_dir() else None
    return None


def _read_list(file: Path) -> list[str]:
    stems = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    stems = [stem for stem in stems if stem]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    if twice:
        raise InvalidData(f"{file}: names {min(twice)!r} twice")
    return stems


def _pairs(folder: Path, stems: list[str] | None, listed: Path) -> list[Pair]:
    """Return each picture with its mask, in the order of `stems` or else of the names."""
    mask_folder = next((folder / m for m in MASK_FOLDERS if (folder / m).is_dir()), None)
    if mask_folder is None:
        raise InvalidData(f"{folder}: has neither of the folders {' and '.join(MASK_FOLDERS)}")
    pictures = _by_stem([file for file in _files(folder / "images") if is_picture(file)])
    masks = _by_stem([file for file in _files(mask_folder) if file.suffix.lower() == ".png"])
    if stems is None:
        for stem in sorted(set(masks) - set(pictures)):
            raise InvalidData(f"{masks[stem]}: there is no picture for it in {folder / 'images'}")
    wanted = sorted(pictures) if stems is None else stems
    for stem in wanted:
        if stem not in pictures:
            raise InvalidData(f"{listed}: names {stem!r}, which is not in {folder / 'images'}")
        if stem not in masks:
            raise InvalidData(f"{pictures[stem]}: has no mask {mask_folder / stem}.png")
    if not wanted:
        raise InvalidData(f"{folder / 'images'}: no pictures found")
    return [(pictures[stem], masks[stem]) for stem in wanted]


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InvalidData(f"{folder}: there is no such folder")
    return sorted(file for file in folder.iterdir() if not file.name.startswith("."))


def _by_stem(files: list[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            raise InvalidData(f"{file}: {found[file.stem].name} has the same name")
        found[file.stem] = file
    return found


def _scenes(path: Path, pairs: list[Pair], classes: MaskClasses) -> Scenes:
    read = decoder(lambda i: pairs[i][0].read_bytes(), [str(picture) for picture, _ in pairs])
    names = [picture.relative_to(path).as_posix() for picture, _ in pairs]
    return Scenes(read, lambda i: read_mask(pairs[i][1], classes), names)
